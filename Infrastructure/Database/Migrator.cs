using System.Reflection;
using ChatBackend.Infrastructure.Resources;
using Dapper;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

internal sealed record Script(string Name, string Sql);

/// <summary>Applies the embedded SQL scripts in order, each in a transaction that holds an advisory lock, so that many replicas may
/// start at once, even through a transaction pooler. It uses DbUp's journal (<c>schemaversions</c>) and script names, so DbUp can
/// replace it without running a script twice.</summary>
internal sealed class Migrator(ILogger<Migrator> log)
{
    /// <summary>"chatback" in ASCII: the key of the advisory lock, used for nothing else.</summary>
    public const long LockKey = 0x6368617462_61636B;

    /// <summary>The time limit of one script, in seconds.</summary>
    private const int ScriptTimeout = 300;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    public static IReadOnlyList<Script> Scripts { get; } = ReadScripts();

    /// <summary>Applies the missing scripts and returns their names. Many processes may call it at once: one migrates, the others wait.</summary>
    /// <param name="report">Receives what the migrator does or waits for; the text contains no secrets.</param>
    public async Task<IReadOnlyList<string>> UpAsync(NpgsqlConnectionStringBuilder settings, Action<string>? report, CancellationToken cancellationToken)
    {
        // The connection is not pooled, because a pool caches the types that existed when it was created.
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        var ran = new List<string>();
        // The first read takes no lock. If nothing is due, nothing is written, and a standby is enough.
        while (await NextAsync(connection, cancellationToken) is not null)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            if (!await TryLockAsync(connection, cancellationToken))
            {
                report?.Invoke("waiting for another process that migrates");
                await transaction.RollbackAsync(cancellationToken);
                await Task.Delay(Pause, cancellationToken);
                continue;
            }

            // Another process may have run it in the meantime.
            if (await NextAsync(connection, cancellationToken) is not { } script)
                break;
            report?.Invoke($"migrating {script.Name}");
            await connection.ExecuteAsync(new(script.Sql, commandTimeout: ScriptTimeout, cancellationToken: cancellationToken));
            await connection.ExecuteAsync(new(
                "insert into schemaversions (scriptname, applied) values (@Name, now() at time zone 'utc')", new { script.Name }, cancellationToken: cancellationToken));
            await transaction.CommitAsync(cancellationToken);
            log.LogInformation("Ran migration {Script}", script.Name);
            ran.Add(script.Name);
        }

        return ran;
    }

    /// <summary>Takes the lock until the transaction ends (a session's lock would stay in a pooler's connection), and creates the journal
    /// if it is missing. A script that waits longer than 5 s for a table fails, because the requests of running replicas would queue
    /// behind it. A process that freezes, or whose machine fails, loses the lock after 10 s.</summary>
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
            // The table is exactly DbUp's (dbup-postgresql, PostgresqlTableJournal).
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

    /// <summary>The first script that is not in the journal; null when there is none.</summary>
    private static async Task<Script?> NextAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var exists = await connection.ExecuteScalarAsync<bool>(new("select to_regclass('schemaversions') is not null", cancellationToken: cancellationToken));
        HashSet<string> done = exists ? [.. await connection.QueryAsync<string>(new("select scriptname from schemaversions", cancellationToken: cancellationToken))] : [];
        return Scripts.FirstOrDefault(script => !done.Contains(script.Name));
    }

    private static List<Script> ReadScripts()
    {
        return [.. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(n => n.StartsWith("Migrations/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(n => new Script(n["Migrations/".Length..], EmbeddedText.Read(n)))];
    }
}
