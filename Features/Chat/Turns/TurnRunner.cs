using System.Collections.Concurrent;
using System.Diagnostics;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>
/// Answers turns in the background, whatever their clients do; keeps their leases; and takes over what processes that died
/// left behind.
/// </summary>
internal sealed class TurnRunner(
    NpgsqlDataSource database, DatabaseStart databaseStart, AnswerWriter writer, IOptions<TurnOptions> options, IOptions<HostOptions> host,
    IHostApplicationLifetime lifetime, TimeProvider time, ILogger<TurnRunner> log)
    : BackgroundService
{
    private const int TakeOverLimit = 16;

    /// <summary>How long a turn that waits for another replica's turn looks away.</summary>
    private static readonly TimeSpan WaitForOther = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest time between two looks for turns left behind while nothing happens.</summary>
    private static readonly TimeSpan LongestQuiet = TimeSpan.FromHours(1);

    /// <summary>How long an answer that is there is kept for a database that is away: asking the model again costs more than waiting.</summary>
    private static readonly TimeSpan KeepFor = TimeSpan.FromSeconds(30);

    /// <summary>What is left of the host's time when turns are handed on: to tell their readers and give back the leases.</summary>
    private static readonly TimeSpan HandOnTime = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Guid, LiveTurn> _live = new();
    private readonly ConcurrentDictionary<LiveTurn, Task> _work = new();
    private readonly CancellationTokenSource _abort = new();
    private TaskCompletionSource _nudge = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>This process, as the leases name it.</summary>
    public Guid Process { get; } = Guid.NewGuid();

    /// <summary>The turn, when this process is answering it.</summary>
    public LiveTurn? Find(Guid turnId) => _live.GetValueOrDefault(turnId);

    /// <summary>True once this process has given up its turns, to end: whoever reads one comes back and finds another.</summary>
    public bool HasHandedOn => _abort.IsCancellationRequested;

    /// <summary>How many attempts this process is at, those that are being stopped included.</summary>
    public int Working => _work.Count;

    /// <summary>Someone waits for a turn that this process does not have: look whether it was left behind.</summary>
    public void Nudge() => _nudge.TrySetResult();

    /// <summary>Begins to answer a turn. It goes on when the caller is gone.</summary>
    public void Start(ClaimedTurn turn, Conversation? context)
    {
        var live = new LiveTurn(turn, _abort.Token);
        LiveTurn? before = null;
        _live.AddOrUpdate(turn.Id, live, (_, other) =>
        {
            before = other;
            return other.Turn.Attempt > turn.Attempt ? other : live;
        });
        // An attempt that is still at the same turn here would ask the model for an answer that it may no longer store.
        (before?.Turn.Attempt > turn.Attempt ? live : before)?.Stop();

        var work = Task.Run(() => RunAsync(live, context));
        _work[live] = work;
        _ = work.ContinueWith(_ => _work.TryRemove(live, out Task? _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        Nudge();
    }

    /// <summary>
    /// The server drains its connections before this service is stopped, and would cut off the streams at the end of the host's
    /// time: so turns that last that long are handed on before.
    /// </summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        lifetime.ApplicationStopping.Register(() =>
        {
            var drain = host.Value.ShutdownTimeout - HandOnTime;
            _abort.CancelAfter(drain > TimeSpan.Zero ? drain : TimeSpan.Zero);
        });
        return base.StartAsync(cancellationToken);
    }

    /// <summary>Lets the turns that are being answered end within the time that the host gives, then hands the others on.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.WhenAll(_work.Values).WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            log.LogWarning("{Count} turns are handed on to the next process", _work.Count);
        }

        await _abort.CancelAsync();
        // The loop first: what it was just taking over is given back, too.
        await base.StopAsync(cancellationToken);
        await Task.WhenAll(_work.Values);
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
                // A process that is about to end would only have to hand them on, and its own among them.
                if (!lifetime.ApplicationStopping.IsCancellationRequested && !HasHandedOn)
                    await TakeOverAsync(stoppingToken);
            }
            catch (Exception e) when (e.IsDatabaseUnavailable())
            {
                // The next beat tries again; the leases outlast several.
                log.LogWarning("The turns' leases could not be renewed: {Reason}", e.GetType().Name);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Whatever it is: the host would stop the whole service for it.
                log.LogError(e, "The turns' leases could not be renewed");
            }

            // An idle service looks ever more rarely (as long again as it has been quiet): a database that may sleep, sleeps.
            if (!_live.IsEmpty)
                quietSince = time.GetTimestamp();
            var quiet = time.GetElapsedTime(quietSince);
            var pause = quiet < options.Value.Beat ? options.Value.Beat : quiet > LongestQuiet ? LongestQuiet : quiet;
            if (await WaitAsync(pause, stoppingToken))
                quietSince = time.GetTimestamp();
        }
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        var turns = _live.Values.Select(live => (Live: live, New: live.Unsaved())).ToArray();
        if (turns.Length == 0)
            return;

        var kept = await ClaimTurns.RenewAsync(
            database, Process, options.Value.Lease,
            [.. turns.Select(t => (t.Live.Turn.Id, t.Live.Turn.Attempt, t.New))], cancellationToken);
        foreach (var (live, partial) in turns)
        {
            if (kept.TryGetValue(live.Turn.Id, out var saved))
                live.Saved(partial, saved);
            else
                live.Stop();
        }
    }

    private async Task TakeOverAsync(CancellationToken cancellationToken)
    {
        foreach (var turn in await ClaimTurns.TakeOverAsync(database, Process, options.Value.Lease, TakeOverLimit, cancellationToken))
        {
            log.LogWarning("Took over turn {Turn}, attempt {Attempt}", Shorten(turn.Id), turn.Attempt);
            Start(turn, context: null);
        }
    }

    /// <returns>True when nudged before the pause was over; beats are never closer than <see cref="TurnOptions.Beat"/>.</returns>
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

    private async Task RunAsync(LiveTurn live, Conversation? context)
    {
        var started = Stopwatch.GetTimestamp();
        var turn = live.Turn;
        var stop = live.Stopped;
        try
        {
            if (turn.Takeovers > TurnOptions.MaxTakeovers)
            {
                // Whatever ends the process each time, it must not do so for ever.
                await FailAsync(live, new TurnFailure(StatusCodes.Status500InternalServerError, "turn_abandoned",
                    "The question could not be answered after several attempts.", null, []), started, stop);
                return;
            }

            context ??= await WaitForPlaceAsync(turn, stop);
            var answer = await writer.WriteAsync(turn.Question, context, live, stop);
            var response = ChatResponse.From(answer, turn, time.GetUtcNow(), LatencyMs(started));
            live.Finish(await CompleteAsync(turn, response, stop) ? new(TurnJson.Write(response), null) : TurnEnd.Lost);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            live.Finish(TurnEnd.Lost);
        }
        catch (Exception e)
        {
            await FailAsync(live, e, started, stop);
        }
        finally
        {
            // This attempt alone: a later one may stand in its place already.
            _live.TryRemove(KeyValuePair.Create(turn.Id, live));
            live.Finish(TurnEnd.Lost);
            live.Dispose();
            if (_abort.IsCancellationRequested)
                await ReleaseAsync();
        }
    }

    private async Task<bool> CompleteAsync(ClaimedTurn turn, ChatResponse response, CancellationToken stop)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await EndTurn.CompleteAsync(database, turn, response, stop);
            }
            catch (Exception e) when (e.IsDatabaseUnavailable() && time.GetElapsedTime(started) < KeepFor)
            {
                await Task.Delay(WaitForOther, time, stop);
            }
        }
    }

    private async Task FailAsync(LiveTurn live, Exception exception, long started, CancellationToken stop)
    {
        if (exception is not (ModelException or SearchException))
            log.LogError(exception, "Turn {Turn} failed", Shorten(live.Turn.Id));
        var failure = TurnFailure.From(exception, live.Snapshot(int.MaxValue).Retrieved ?? []);
        try
        {
            await FailAsync(live, failure, started, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            live.Finish(TurnEnd.Lost);
        }
        catch (Exception e)
        {
            // The database is away too: the reader is told, and the turn is taken up again when its lease has lapsed.
            log.LogWarning("Turn {Turn} could not be ended: {Reason}", Shorten(live.Turn.Id), e.GetType().Name);
            live.Finish(new(null, failure));
        }
    }

    private async Task FailAsync(LiveTurn live, TurnFailure failure, long started, CancellationToken stop)
    {
        live.Finish(await EndTurn.FailAsync(database, live.Turn, failure, LatencyMs(started), stop) ? new(null, failure) : TurnEnd.Lost);
    }

    /// <summary>Waits until the turn before has ended, here or on another replica.</summary>
    private async Task<Conversation> WaitForPlaceAsync(ClaimedTurn turn, CancellationToken cancellationToken)
    {
        while (true)
        {
            var before = _live.Values.FirstOrDefault(t => t.Turn.SessionId == turn.SessionId && t.Turn.Number == turn.Number - 1);
            if (before is not null)
                await before.WaitForEndAsync(cancellationToken);
            if (await ClaimTurns.TryBeginAsync(database, turn, cancellationToken) is { } context)
                return context;
            await Task.Delay(WaitForOther, time, cancellationToken);
        }
    }

    private async Task ReleaseAsync()
    {
        try
        {
            await ClaimTurns.ReleaseAsync(database, Process, CancellationToken.None);
        }
        catch (Exception e)
        {
            log.LogWarning("The turns could not be handed on ({Reason}); their leases lapse by themselves", e.GetType().Name);
        }
    }

    private static int LatencyMs(long started) => (int)Stopwatch.GetElapsedTime(started).TotalMilliseconds;

    private static string Shorten(Guid id) => id.ToString("N")[..8];
}
