using System.Text.RegularExpressions;
using Dapper;
using Npgsql;
using Spectre.Console;

namespace ChatBackend.Bench.Cost;

/// <summary>The statements that took the most time, by pg_stat_statements.</summary>
internal sealed partial class StatementList
{
    private readonly NpgsqlConnection _connection;

    private StatementList(NpgsqlConnection connection) => _connection = connection;

    /// <summary>Null where the server has no pg_stat_statements.</summary>
    public static async Task<StatementList?> TryOpenAsync(NpgsqlConnection connection)
    {
        try
        {
            await connection.ExecuteAsync("create extension if not exists pg_stat_statements");
            var list = new StatementList(connection);
            await list.ResetAsync();
            return list;
        }
        catch (PostgresException e)
        {
            AnsiConsole.MarkupLineInterpolated($"--explain: the server has no pg_stat_statements ({e.MessageText}).");
            return null;
        }
    }

    public Task ResetAsync() => _connection.ExecuteAsync("select pg_stat_statements_reset()");

    /// <summary>Shows the statements since the reset.</summary>
    public async Task ShowAsync(int requests)
    {
        var table = new Table().AddColumns("calls a request", "total ms a request", "mean ms", "of it planning", "rows", "statement");
        foreach (var s in await _connection.QueryAsync<(long Calls, double Total, double Plan, long Rows, string Query)>(
            """
            select calls, total_exec_time + total_plan_time, total_plan_time, rows, query
            from pg_stat_statements
            where dbid = (select oid from pg_database where datname = current_database()) and query not like '%pg_stat_statements%'
            order by total_exec_time + total_plan_time desc
            limit 15
            """))
        {
            var query = Blanks().Replace(s.Query, " ").Trim();
            table.AddRow(
                $"{(double)s.Calls / requests:0.000}", $"{s.Total / requests:0.000}", $"{s.Total / s.Calls:0.000}", $"{s.Plan / s.Calls:0.000}", $"{(double)s.Rows / s.Calls:0.0}",
                Markup.Escape(query[..Math.Min(query.Length, 100)]));
        }

        AnsiConsole.Write(table);
    }

    [GeneratedRegex(@"\s+", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Blanks();
}
