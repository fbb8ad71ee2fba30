using System.Reflection;
using Dapper;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>
/// Applies the embedded SQL scripts in order, each in a transaction, under an advisory lock, so that many replicas may
/// start at once. It stands in for DbUp and keeps DbUp's journal (<c>schemaversions</c>) and script names, so that DbUp
/// can take over without running anything twice.
/// </summary>
internal sealed class Migrator(ILogger<Migrator> log)
{
    /// <summary>"chatback" in ASCII: the key of the advisory lock, known to nobody else.</summary>
    private const long LockKey = 0x6368617462_61636B;

    /// <summary>The scripts, by name, in the order in which they run.</summary>
    public static IReadOnlyList<(string Name, string Up, string Down)> Scripts { get; } = ReadScripts();

    /// <summary>Applies what is missing. Safe to call from many processes at once; waits for whoever is at it.</summary>
    /// <param name="settings">The direct server: a transaction pooler keeps no session locks.</param>
    /// <returns>The names of the scripts that this call applied.</returns>
    public async Task<IReadOnlyList<string>> UpAsync(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        await using var connection = await OpenLockedAsync(settings, cancellationToken);
        var done = await JournalAsync(connection, cancellationToken);
        var applied = new List<string>();
        foreach (var (name, up, _) in Scripts.Where(s => !done.Contains(s.Name)))
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await connection.ExecuteAsync(new(up, transaction: transaction, commandTimeout: 300, cancellationToken: cancellationToken));
            await connection.ExecuteAsync(new(
                "insert into schemaversions (scriptname, applied) values (@name, now() at time zone 'utc')",
                new { name }, transaction, cancellationToken: cancellationToken));
            await transaction.CommitAsync(cancellationToken);
            log.LogInformation("Applied migration {Script}", name);
            applied.Add(name);
        }

        return applied;
    }

    /// <summary>Takes back every script after <paramref name="target"/> (null: all of them), newest first.</summary>
    public async Task DownAsync(NpgsqlConnectionStringBuilder settings, string? target, CancellationToken cancellationToken)
    {
        await using var connection = await OpenLockedAsync(settings, cancellationToken);
        var done = await JournalAsync(connection, cancellationToken);
        var undone = Scripts.Reverse().TakeWhile(s => s.Name != target).Where(s => done.Contains(s.Name));
        foreach (var (name, _, down) in undone)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await connection.ExecuteAsync(new(down, transaction: transaction, cancellationToken: cancellationToken));
            await connection.ExecuteAsync(new(
                "delete from schemaversions where scriptname = @name", new { name }, transaction, cancellationToken: cancellationToken));
            await transaction.CommitAsync(cancellationToken);
            log.LogInformation("Took back migration {Script}", name);
        }
    }

    private static async Task<NpgsqlConnection> OpenLockedAsync(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(settings.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            // Closing the unpooled connection releases the lock, also when this process is killed.
            await connection.ExecuteAsync(new(
                "select pg_advisory_lock(@key)", new { key = LockKey }, commandTimeout: 300, cancellationToken: cancellationToken));
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static async Task<HashSet<string>> JournalAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // The table is DbUp's own (dbup-postgresql, PostgresqlTableJournal), to the letter.
        var names = await connection.QueryAsync<string>(new(
            """
            create table if not exists schemaversions (
                schemaversionsid serial not null,
                scriptname character varying(255) not null,
                applied timestamp without time zone not null,
                constraint "PK_schemaversions_Id" primary key (schemaversionsid)
            );
            select scriptname from schemaversions;
            """, cancellationToken: cancellationToken));
        return [.. names];
    }

    private static List<(string, string, string)> ReadScripts()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return [.. assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith("Migrations/", StringComparison.Ordinal) && !n.EndsWith(".down.sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(n => (n["Migrations/".Length..], Read(n), Read(n.Replace(".sql", ".down.sql"))))];

        string Read(string name)
        {
            using var stream = assembly.GetManifestResourceStream(name)
                ?? throw new InvalidOperationException($"The migration {name} is missing.");
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
    }
}
