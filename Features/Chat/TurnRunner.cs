using System.Collections.Concurrent;
using System.Diagnostics;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Chat;

/// <summary>
/// Answers turns in the background, whatever their clients do; keeps their leases; and takes over what processes that died
/// left behind.
/// </summary>
internal sealed class TurnRunner(
    NpgsqlDataSource database, DatabaseStart databaseStart, TurnAnswer answer, IOptions<ChatOptions> options, TimeProvider time, ILogger<TurnRunner> log)
    : BackgroundService
{
    private const int TakeOverLimit = 16;

    /// <summary>How long a turn that waits for another replica's turn looks away.</summary>
    private static readonly TimeSpan WaitForOther = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest time between two looks for turns left behind while nothing happens.</summary>
    private static readonly TimeSpan LongestQuiet = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<Guid, LiveTurn> _live = new();
    private readonly ConcurrentDictionary<Guid, Task> _work = new();
    private readonly CancellationTokenSource _abort = new();
    private TaskCompletionSource _nudge = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>This process, as the leases name it.</summary>
    public Guid Process { get; } = Guid.NewGuid();

    /// <summary>The turn, when this process is answering it.</summary>
    public LiveTurn? Find(Guid turnId) => _live.GetValueOrDefault(turnId);

    /// <summary>Someone waits for a turn that this process does not have: look whether it was left behind.</summary>
    public void Nudge() => _nudge.TrySetResult();

    /// <summary>Begins to answer a turn. It goes on when the caller is gone.</summary>
    public LiveTurn Start(ClaimedTurn turn, TurnContext? context)
    {
        var live = new LiveTurn(turn, CancellationTokenSource.CreateLinkedTokenSource(_abort.Token));
        _live[turn.Id] = live;
        _work[turn.Id] = Task.Run(() => RunAsync(live, context));
        Nudge();
        return live;
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
        await Task.WhenAll(_work.Values);
        await base.StopAsync(cancellationToken);
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
                foreach (var turn in await ClaimTurns.TakeOverAsync(database, Process, options.Value.Lease, TakeOverLimit, stoppingToken))
                {
                    log.LogWarning("Took over turn {Turn}, attempt {Attempt}", Shorten(turn.Id), turn.Attempt);
                    Start(turn, context: null);
                }
            }
            catch (NpgsqlException e)
            {
                // The next beat tries again; the leases outlast several.
                log.LogWarning("The turns' leases could not be renewed: {Reason}", e.GetType().Name);
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
        var turns = _live.Values.ToArray();
        if (turns.Length == 0)
            return;

        var kept = await ClaimTurns.RenewAsync(
            database, Process, options.Value.Lease,
            [.. turns.Select(t => (t.Turn.Id, t.Turn.Attempt, t.TakeUnsaved() is { } partial ? TurnJson.Write(partial) : null))],
            cancellationToken);
        foreach (var lost in turns.Where(t => !kept.Contains(t.Turn.Id)))
            await lost.Cancellation.CancelAsync();
    }

    /// <returns>True when nudged before the pause was over; beats are never closer than <see cref="ChatOptions.Beat"/>.</returns>
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

    private async Task RunAsync(LiveTurn live, TurnContext? context)
    {
        var started = Stopwatch.GetTimestamp();
        var turn = live.Turn;
        var stop = live.Cancellation.Token;
        try
        {
            if (turn.Attempt > ChatOptions.MaxAttempts)
            {
                // Whatever ends the process each time, it must not do so for ever.
                await FailAsync(live, new TurnFailure(StatusCodes.Status500InternalServerError, "turn_abandoned",
                    "The question could not be answered after several attempts.", null, []), stop);
                return;
            }

            context ??= await WaitForPlaceAsync(turn, stop);
            var response = await answer.WriteAsync(live, context, started, stop);
            live.Finish(await EndTurn.CompleteAsync(database, turn, response, stop) ? new(TurnJson.Write(response), null) : TurnEnd.Lost);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            live.Finish(TurnEnd.Lost);
        }
        catch (Exception e)
        {
            await FailAsync(live, e, stop);
        }
        finally
        {
            _live.TryRemove(turn.Id, out _);
            _work.TryRemove(turn.Id, out _);
            live.Finish(TurnEnd.Lost);
            if (_abort.IsCancellationRequested)
                await ReleaseAsync();
        }
    }

    private async Task FailAsync(LiveTurn live, Exception exception, CancellationToken stop)
    {
        var problem = ErrorHandling.Describe(exception);
        if (exception is not (ModelException or SearchException))
            log.LogError(exception, "Turn {Turn} failed", Shorten(live.Turn.Id));
        int? retryAfter = problem.Status == StatusCodes.Status503ServiceUnavailable
            ? ErrorHandling.RetryAfterSeconds(exception)
            : null;
        var failure = new TurnFailure(
            problem.Status!.Value, (string)problem.Extensions["code"]!, problem.Detail!, retryAfter, live.Snapshot().Retrieved ?? []);
        try
        {
            await FailAsync(live, failure, stop);
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            // The database is away too: the reader is told, and the turn is taken up again when its lease has lapsed.
            log.LogWarning("Turn {Turn} could not be ended: {Reason}", Shorten(live.Turn.Id), e.GetType().Name);
            live.Finish(new(null, failure));
        }
    }

    private async Task FailAsync(LiveTurn live, TurnFailure failure, CancellationToken stop) =>
        live.Finish(await EndTurn.FailAsync(database, live.Turn, failure, stop) ? new(null, failure) : TurnEnd.Lost);

    /// <summary>Waits until the turn before has ended, here or on another replica.</summary>
    private async Task<TurnContext> WaitForPlaceAsync(ClaimedTurn turn, CancellationToken cancellationToken)
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
        catch (NpgsqlException e)
        {
            log.LogWarning("The turns could not be handed on ({Reason}); their leases lapse by themselves", e.GetType().Name);
        }
    }

    private static string Shorten(Guid id) => id.ToString("N")[..8];
}
