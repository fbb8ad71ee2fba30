using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Conversations;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Chat.Retention;

/// <summary>Deletes the conversations in which nothing was asked for <c>RETENTION_DAYS</c>: at start, and when a question is asked, at most once an
/// hour.</summary>
internal sealed class OldConversations(
    NpgsqlDataSource database, DatabaseStart databaseStart, TurnRunner runner, IOptions<RetentionOptions> options, TimeProvider time, ILogger<OldConversations> log)
    : BackgroundService
{
    /// <summary>A batch is one transaction, which holds its locks for some milliseconds.</summary>
    private const int BatchSize = 100;

    internal const long Lock = 7_166_253_480_512_093;

    /// <returns>How many were deleted; 0 while another process does it.</returns>
    public async Task<int> DeleteAsync(int days, CancellationToken cancellationToken)
    {
        var before = time.GetUtcNow().AddDays(-days);
        var deleted = 0;
        while (true)
        {
            var (found, batch) = await database.OnceAsync(connection => DeleteBatchAsync(connection, before, cancellationToken), cancellationToken);
            deleted += batch;
            if (found < BatchSize)
                return deleted;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Value.Days is not { } days)
            return;

        var work = new HourlyWork(databaseStart, time);
        runner.Started += (_, _) => work.Call();
        await work.RunAsync(
            async token =>
            {
                var deleted = await DeleteAsync(days, token);
                if (deleted > 0)
                    log.LogInformation("Deleted {Count} conversations in which nothing was asked for {Days} days", deleted, days);
            },
            e => log.LogWarning("Old conversations could not be deleted: {Reason}", e.GetType().Name),
            stoppingToken);
    }

    private static async Task<(int Found, int Deleted)> DeleteBatchAsync(NpgsqlConnection connection, DateTimeOffset before, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // A lock of the transaction also works through a pooler, where a session is not ours.
        if (!await connection.ExecuteScalarAsync<bool>(Command("select pg_try_advisory_xact_lock(@Lock)", new { Lock })))
            return (0, 0);

        // The sessions' locks hold back new questions. A session that somebody has locked is being used.
        var old = (await connection.QueryAsync<Guid>(Command(
            """
            select id from chat_sessions as s
            where updated_at < @before and not exists (select from turns where session_id = s.id and state = 'running')
            order by updated_at
            limit @BatchSize
            for no key update skip locked
            """, new { before, BatchSize }))).AsList();
        // The turns' locks keep a failed one from being started again. One may have been, before its lock.
        var running = await connection.QueryAsync<Guid>(Command(
            """
            with locked as materialized (
                select session_id, state from turns where session_id = any (@old) for update
            )
            select session_id from locked where state = 'running'
            """, new { old }));

        var ids = old.Except(running).ToArray();
        await connection.ExecuteAsync(Command(DeletedConversations.Delete("s.id = any (@ids)"), new { ids }));
        await transaction.CommitAsync(cancellationToken);
        return (old.Count, ids.Length);

        CommandDefinition Command(string sql, object parameters) => new(sql, parameters, transaction, cancellationToken: cancellationToken);
    }
}
