using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Limits;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Renews the leases of this process's turns, takes over turns of processes that died, and hands on its own at shutdown.</summary>
internal sealed class TurnLeases(
    NpgsqlDataSource database, DatabaseStart databaseStart, TurnRunner runner, IOptions<TurnOptions> options, IOptions<HostOptions> host,
    IHostApplicationLifetime lifetime, TimeProvider time, ILogger<TurnLeases> log)
    : BackgroundService
{
    private const int TakeOverLimit = 16;

    private static readonly TimeSpan LongestQuiet = TimeSpan.FromHours(1);

    /// <summary>The part of the host's shutdown timeout that is kept for handing on turns.</summary>
    private static readonly TimeSpan HandOnTime = TimeSpan.FromSeconds(5);

    private TaskCompletionSource _nudge = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Nudge() => _nudge.TrySetResult();

    /// <summary>The server drains its connections before this service stops, so turns that outlast the drain are handed on before.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        runner.Started += (_, _) => Nudge();
        lifetime.ApplicationStopping.Register(() =>
        {
            var drain = host.Value.ShutdownTimeout - HandOnTime;
            runner.HandOnAfter(drain > TimeSpan.Zero ? drain : TimeSpan.Zero);
        });
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.WhenAll(runner.Attempts).WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            log.LogWarning("Handing on the unfinished turns to the next process: {Count}", runner.Attempts.Count);
        }

        await runner.HandOnAsync();
        // The loop stops first, so that turns that it is just taking over are given back too.
        await base.StopAsync(cancellationToken);
        await Task.WhenAll(runner.Attempts);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await databaseStart.WaitAsync(stoppingToken);
        var quietSince = time.GetTimestamp();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RenewAsync(stoppingToken);
                // A process that is stopping would have to hand them on at once.
                if (!lifetime.ApplicationStopping.IsCancellationRequested && !runner.HasHandedOn)
                    await TakeOverAsync(stoppingToken);
            }
            catch (Exception e) when (e.IsDatabaseUnavailable())
            {
                // The next beat tries again. A lease outlasts several beats.
                log.LogWarning("The turns' leases could not be renewed: {Reason}", e.GetType().Name);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // The host would stop the whole service at any other exception.
                log.LogError(e, "The turns' leases could not be renewed");
            }

            // The pause is as long as the service has been idle, so that a database that suspends when idle can do so.
            if (runner.Running.Count > 0)
                quietSince = time.GetTimestamp();
            var quiet = time.GetElapsedTime(quietSince);
            var pause = quiet < options.Value.Beat ? options.Value.Beat : quiet > LongestQuiet ? LongestQuiet : quiet;
            if (await WaitAsync(pause, stoppingToken))
                quietSince = time.GetTimestamp();
        }
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        var turns = runner.Running.Select(running => (Running: running, New: running.Unsaved())).ToArray();
        if (turns.Length == 0)
            return;

        var kept = await RenewAsync(
            database, runner.Process, options.Value.Lease,
            [.. turns.Select(t => (t.Running.Turn.Id, t.Running.Turn.Attempt, t.New))], cancellationToken);
        foreach (var (running, partial) in turns)
        {
            if (kept.TryGetValue(running.Turn.Id, out var saved))
                running.Saved(partial, saved);
            else
                running.Drop();
        }
    }

    private async Task<bool> WaitAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        var beat = options.Value.Beat;
        await Task.Delay(beat, time, cancellationToken);
        var nudge = _nudge.Task;
        if (pause > beat && !nudge.IsCompleted)
            await Task.WhenAny(nudge, Task.Delay(pause - beat, time, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
        if (!nudge.IsCompleted)
            return false;
        _nudge = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return true;
    }

    /// <summary>Also appends the text written since the last beat, for readers on other replicas, and counts the tokens used since then: a process
    /// that dies has counted all but the last second.</summary>
    /// <returns>The turns that this process still has, with the length of their stored text in UTF-16 code units.</returns>
    public static async Task<IReadOnlyDictionary<Guid, int>> RenewAsync(
        NpgsqlDataSource database, Guid process, TimeSpan lease, IReadOnlyList<(Guid Id, int Attempt, TurnPartial New)> turns, CancellationToken cancellationToken)
    {
        // A beat after a lost reply sends the same text again, so only what is missing is appended.
        var beat = new CommandDefinition(
            """
            with renewed as (
                update turns
                set lease_until = case when turns.stop_requested_at is null then now() + @lease else turns.lease_until end,
                    partial_sources = coalesce(mine.sources::json, turns.partial_sources),
                    partial_text = case
                        when octet_length(turns.partial_text) between mine.start and mine.start + octet_length(mine.text) - 1
                        then turns.partial_text || substring(mine.text from octet_length(turns.partial_text) - mine.start + 1)
                        else turns.partial_text
                    end,
                    counted_tokens = mine.tokens
                from unnest(@Ids, @Attempts, @Sources, @Starts, @Texts, @Tokens) as mine (id, attempt, sources, start, text, tokens)
                join turns as before using (id)
                where turns.id = mine.id and turns.attempt = mine.attempt and turns.lease_owner = @process and turns.state = 'running'
                returning
                    turns.id, octet_length(turns.partial_text) / 2 as saved,
                    turns.token_day as day, turns.token_client as client, mine.tokens - before.counted_tokens as tokens
            ),
            used as (
                select day, client, tokens from renewed
            ),
            counted as (
            """ + TokenBudget.Add + """

            )
            select id, saved from renewed
            """,
            new
            {
                lease,
                process,
                Ids = turns.Select(t => t.Id).ToArray(),
                Attempts = turns.Select(t => t.Attempt).ToArray(),
                Sources = turns.Select(t => t.New.Sources is { } sources ? TurnJson.Write(sources) : null).ToArray(),
                Starts = turns.Select(t => t.New.Start * 2).ToArray(),
                Texts = turns.Select(t => Encoding.Unicode.GetBytes(t.New.Text)).ToArray(),
                Tokens = turns.Select(t => t.New.Tokens).ToArray(),
                Slot = TokenBudget.NewSlot(),
            },
            cancellationToken: cancellationToken);
        var kept = await database.OnceAsync(connection => connection.QueryAsync<(Guid Id, int Saved)>(beat), cancellationToken);
        return kept.ToDictionary(t => t.Id, t => t.Saved);
    }

    /// <summary>A turn that was handed on has no owner, so its takeovers do not grow: no process died with it. A turn that its reader has stopped
    /// keeps its text, and is ended without the model.</summary>
    private async Task TakeOverAsync(CancellationToken cancellationToken)
    {
        var taking = new CommandDefinition(
            """
            with abandoned as (
                select id from turns
                where state = 'running' and lease_until < now()
                order by created_at, number
                limit @TakeOverLimit
                for update skip locked
            )
            update turns
            set attempt = attempt + 1, takeovers = takeovers + (lease_owner is not null)::integer, lease_owner = @Process, lease_until = now() + @Lease,
                partial_sources = case when stop_requested_at is not null then partial_sources end,
                partial_text = case when stop_requested_at is not null then partial_text else '' end,
                counted_tokens = 0
            from abandoned, chat_sessions
            where turns.id = abandoned.id and chat_sessions.id = turns.session_id
            returning turns.id, turns.session_id, turns.number, turns.attempt, turns.takeovers, chat_sessions.user_id, turns.request::text as request,
                      turns.stop_requested_at is not null as is_stopped, turns.partial_sources::text as sources, turns.partial_text as text,
                      to_char(turns.token_day, 'YYYY-MM-DD') as day, turns.token_client as client, turns.is_offline
            """,
            new { runner.Process, options.Value.Lease, TakeOverLimit }, cancellationToken: cancellationToken);
        foreach (var row in await database.OnceAsync(connection => connection.QueryAsync<TakenRow>(taking), cancellationToken))
        {
            var turn = new ClaimedTurn(row.Id, row.SessionId, row.Number, row.Attempt, row.UserId, TurnJson.Read<Question>(row.Request),
                row is { Day: { } day, Client: { } client } ? new(day, client) : null, row.IsOffline, row.Takeovers);
            log.LogWarning("Took over turn {Turn}, attempt {Attempt}", turn.ShortId, turn.Attempt);
            runner.Start(turn, conversation: null, row.IsStopped ? new(row.Sources is null ? null : TurnJson.Read<TurnSources>(row.Sources), Encoding.Unicode.GetString(row.Text)) : null);
        }
    }

    /// <summary>The turns have no owner then, so a renewal that arrives later finds nothing to renew.</summary>
    public static Task ReleaseAsync(NpgsqlDataSource database, Guid process, CancellationToken cancellationToken) => database.OnceAsync(
        connection => connection.ExecuteAsync(new(
            "update turns set lease_owner = null, lease_until = now() - interval '1 second' where lease_owner = @process and state = 'running'",
            new { process }, cancellationToken: cancellationToken)),
        cancellationToken);

    private sealed record TakenRow(
        Guid Id, Guid SessionId, int Number, int Attempt, int Takeovers, string? UserId, string Request, bool IsStopped, string? Sources, byte[] Text,
        string? Day, string? Client, bool IsOffline);
}
