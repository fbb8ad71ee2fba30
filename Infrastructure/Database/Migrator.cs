using System.Reflection;
using Dapper;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>A SQL script and the one that reverts it.</summary>
internal sealed record Script(string Name, string Up, string Down);

/// <summary>
/// Applies the embedded SQL scripts in order, each in a transaction that holds an advisory lock, so that many replicas may
/// start at once, also through a transaction pooler. It stands in for DbUp and keeps DbUp's journal
/// (<c>schemaversions</c>) and script names, so that DbUp can take over without running anything twice.
/// </summary>
internal sealed class Migrator(ILogger<Migrator> log)
{
    /// <summary>"chatback" in ASCII: the key of the advisory lock, used for nothing else.</summary>
    public const long LockKey = 0x6368617462_61636B;

    /// <summary>How long one script may take, in seconds.</summary>
    private const int ScriptTimeout = 300;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <summary>The scripts, by name, in the order in which they run.</summary>
    public static IReadOnlyList<Script> Scripts { get; } = ReadScripts();

    /// <summary>Applies what is missing. Safe to call from many processes at once: waits while another one migrates.</summary>
    /// <param name="report">Called with what it does or waits for, in words that may be public.</param>
    /// <returns>The names of the scripts that this call applied.</returns>
    public Task<IReadOnlyList<string>> UpAsync(NpgsqlConnectionStringBuilder settings, Action<string>? report, CancellationToken cancellationToken) => RunAsync(
        settings, report, done => Scripts.FirstOrDefault(s => !done.Contains(s.Name)), script => script.Up,
        "insert into schemaversions (scriptname, applied) values (@Name, now() at time zone 'utc')", cancellationToken);

    /// <summary>Reverts every script after <paramref name="target"/> (null: all of them), newest first.</summary>
    /// <returns>The names of the scripts that this call reverted.</returns>
    public Task<IReadOnlyList<string>> DownAsync(NpgsqlConnectionStringBuilder settings, string? target, CancellationToken cancellationToken) => RunAsync(
        settings, report: null, done => Scripts.Reverse().TakeWhile(s => s.Name != target).FirstOrDefault(s => done.Contains(s.Name)), script => script.Down,
        "delete from schemaversions where scriptname = @Name", cancellationToken);

    /// <param name="next">The script that is due, given the names in the journal.</param>
    private async Task<IReadOnlyList<string>> RunAsync(
        NpgsqlConnectionStringBuilder settings, Action<string>? report, Func<IReadOnlySet<string>, Script?> next, Func<Script, string> sql, string journalSql,
        CancellationToken cancellationToken)
    {
        // Not from the pool, whose connections cache the types that existed when it was made.
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        var ran = new List<string>();
        // Read without the lock first: if nothing is due, nothing is written, and a standby is enough.
        while (next(await JournalAsync(connection, cancellationToken)) is not null)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            if (!await TryLockAsync(connection, cancellationToken))
            {
                report?.Invoke("waiting for another process that migrates");
                await transaction.RollbackAsync(cancellationToken);
                await Task.Delay(Pause, cancellationToken);
                continue;
            }

            // Another process may have run it since.
            if (next(await JournalAsync(connection, cancellationToken)) is not { } script)
                break;
            report?.Invoke($"migrating {script.Name}");
            await connection.ExecuteAsync(new(sql(script), commandTimeout: ScriptTimeout, cancellationToken: cancellationToken));
            await connection.ExecuteAsync(new(journalSql, new { script.Name }, cancellationToken: cancellationToken));
            await transaction.CommitAsync(cancellationToken);
            log.LogInformation("Ran migration {Script}", script.Name);
            ran.Add(script.Name);
        }

        return ran;
    }

    /// <summary>
    /// Takes the lock for the rest of the transaction, and creates the journal if there is none. A session's lock would
    /// stay in a pooler's connection. A script that waits longer than 5 s for a table fails: all requests of the replicas
    /// that still run would queue behind it. A process that freezes, or whose machine is gone, loses the lock after 10 s.
    /// </summary>
    private static async Task<bool> TryLockAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var isLocked = await connection.ExecuteScalarAsync<bool>(new(
            $"""
            set local lock_timeout = '5s';
            set local statement_timeout = '{ScriptTimeout}s';
            set local idle_in_transaction_session_timeout = '10s';
            select pg_try_advisory_xact_lock(@LockKey);
            """, new { LockKey }, cancellationToken: cancellationToken));
        if (isLocked)
        {
            // The table is DbUp's own (dbup-postgresql, PostgresqlTableJournal), to the letter.
            await connection.ExecuteAsync(new(
                """
                create table if not exists schemaversions (
                    schemaversionsid serial not null,
                    scriptname character varying(255) not null,
                    applied timestamp without time zone not null,
                    constraint "PK_schemaversions_Id" primary key (schemaversionsid)
                )
                """, cancellationToken: cancellationToken));
        }

        return isLocked;
    }

    private static async Task<HashSet<string>> JournalAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var exists = await connection.ExecuteScalarAsync<bool>(new("select to_regclass('schemaversions') is not null", cancellationToken: cancellationToken));
        return exists ? [.. await connection.QueryAsync<string>(new("select scriptname from schemaversions", cancellationToken: cancellationToken))] : [];
    }

    private static List<Script> ReadScripts()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return [.. assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith("Migrations/", StringComparison.Ordinal) && !n.EndsWith(".down.sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(n => new Script(n["Migrations/".Length..], Read(n), Read(n.Replace(".sql", ".down.sql"))))];

        string Read(string name)
        {
            using var stream = assembly.GetManifestResourceStream(name)
                ?? throw new InvalidOperationException($"The migration {name} is missing.");
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
    }
}
