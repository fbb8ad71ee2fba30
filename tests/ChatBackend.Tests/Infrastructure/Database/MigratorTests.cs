using ChatBackend.Infrastructure.Database;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Database;

public sealed class MigratorTests : IAsyncLifetime
{
    private static readonly string[] Names = [.. Migrator.Scripts.Select(s => s.Name)];

    private readonly Migrator _migrator = new(NullLogger<Migrator>.Instance);
    private NpgsqlConnectionStringBuilder _database = [];

    public async ValueTask InitializeAsync() => _database = new(await PostgresServer.CreateDatabaseAsync()) { Pooling = false };

    public async ValueTask DisposeAsync() => await PostgresServer.DropDatabaseAsync(_database.ConnectionString);

    [Fact]
    public async Task Up_then_down_then_up_leaves_what_up_left()
    {
        await _migrator.UpAsync(_database, null, TestContext.Current.CancellationToken);
        var first = await ShapeAsync();
        await DownAsync();
        var empty = await ShapeAsync();
        await _migrator.UpAsync(_database, null, TestContext.Current.CancellationToken);

        Assert.NotEmpty(first);
        Assert.All(empty, line => Assert.StartsWith("schemaversions.", line));
        Assert.Equal(first, await ShapeAsync());
    }

    [Fact]
    public async Task Eight_replicas_that_start_at_once_run_each_script_once()
    {
        var applied = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => _migrator.UpAsync(_database, null, default))));

        Assert.Equal(Names, applied.SelectMany(a => a).Order(StringComparer.Ordinal));
        await using var connection = new NpgsqlConnection(_database.ConnectionString);
        Assert.Equal(Names, await connection.QueryAsync<string>("select scriptname from schemaversions order by schemaversionsid"));
    }

    [Fact]
    public async Task A_process_that_freezes_while_it_migrates_does_not_hold_up_the_others_for_ever()
    {
        var freezing = new TaskCompletionSource();
        using var thaw = new ManualResetEventSlim();
        var frozen = Task.Run(() => _migrator.UpAsync(_database, _ =>
        {
            freezing.TrySetResult();
            thaw.Wait();
        }, default));
        await freezing.Task;
        try
        {
            Assert.Equal(Names, await _migrator.UpAsync(_database, null, default).WaitAsync(TimeSpan.FromMinutes(3), TestContext.Current.CancellationToken));
        }
        finally
        {
            thaw.Set();
        }

        await Assert.ThrowsAnyAsync<NpgsqlException>(() => frozen);
    }

    [Fact]
    public async Task A_journal_written_by_DbUp_is_continued()
    {
        await _migrator.UpAsync(_database, null, default);
        await using var connection = new NpgsqlConnection(_database.ConnectionString);
        // This is DbUp's own statement; its time is local, without a time zone.
        await connection.ExecuteAsync(
            "delete from schemaversions; insert into schemaversions (scriptname, applied) select unnest(@Names), now()::timestamp", new { Names });

        Assert.Empty(await _migrator.UpAsync(_database, null, default));
    }

    [Fact]
    public void Every_script_is_numbered_without_gaps_and_can_be_taken_back()
    {
        Assert.NotEmpty(Migrator.Scripts);
        Assert.All(Migrator.Scripts.Select((script, i) => (script, i)), s =>
        {
            Assert.Matches($"^{s.i + 1:0000}_[a-z0-9_]+\\.sql$", s.script.Name);
            Assert.True(File.Exists(DownOf(s.script.Name)));
        });
    }

    [Fact]
    public async Task Every_foreign_key_is_indexed()
    {
        await _migrator.UpAsync(_database, null, default);
        await using var connection = new NpgsqlConnection(_database.ConnectionString);
        var unindexed = await connection.QueryAsync<string>(
            """
            select c.conrelid::regclass || ' (' || a.attname || ')'
            from pg_constraint c
            join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
            where c.contype = 'f'
              and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])
            """);

        Assert.True(await connection.ExecuteScalarAsync<int>("select count(*) from pg_constraint where contype = 'f'") > 0);
        Assert.Empty(unindexed);
    }

    /// <summary>Reverts every script, the newest first, as an operator does with psql.</summary>
    private async Task DownAsync()
    {
        await using var connection = new NpgsqlConnection(_database.ConnectionString);
        foreach (var name in Names.Reverse())
        {
            await connection.ExecuteAsync(await File.ReadAllTextAsync(DownOf(name), TestContext.Current.CancellationToken));
            await connection.ExecuteAsync("delete from schemaversions where scriptname = @name", new { name });
        }
    }

    private static string DownOf(string name) => Path.Combine(Repository.Root, "Migrations", name.Replace(".sql", ".down.sql"));

    private async Task<IReadOnlyList<string>> ShapeAsync()
    {
        await using var connection = new NpgsqlConnection(_database.ConnectionString);
        var lines = await connection.QueryAsync<string>(
            """
            select table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
            from information_schema.columns where table_schema = 'public'
            union all
            select tablename || '.' || indexdef from pg_indexes where schemaname = 'public'
            order by 1
            """);
        return [.. lines];
    }
}
