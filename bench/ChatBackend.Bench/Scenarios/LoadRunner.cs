using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Bench.Scenarios;

/// <summary>Runs a scenario with all its clients at once.</summary>
internal sealed class LoadRunner(HttpClient client, BenchOptions options)
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    public BenchOptions Options => options;

    /// <summary>Runs a statement on the service's database, however long it takes.</summary>
    public async Task ExecuteAsync(string sql, object? parameters = null)
    {
        await using var connection = await OpenAsync();
        await connection.ExecuteAsync(sql, parameters, commandTimeout: 0);
    }

    /// <summary>One value from the service's database.</summary>
    public async Task<long> CountAsync(string sql)
    {
        await using var connection = await OpenAsync();
        return await connection.ExecuteScalarAsync<long>(sql);
    }

    public async Task<Result> RunAsync(IScenario scenario)
    {
        await SendAsync(scenario, WarmUp);
        return await SendAsync(scenario, TimeSpan.FromSeconds(options.Seconds));
    }

    private Task<Result> SendAsync(IScenario scenario, TimeSpan time) =>
        Load.RunAsync(options.Clients, time, random => scenario.RequestAsync(client, random, CancellationToken.None));

    private async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(DatabaseUrl.Parse(options.Database).ConnectionString);
        await connection.OpenAsync();
        return connection;
    }
}
