using System.Collections.Concurrent;
using System.Diagnostics;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using Npgsql;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Answers turns in the background, even if their clients disconnect.</summary>
internal sealed class TurnRunner(NpgsqlDataSource database, AnswerWriter writer, EndTurn end, TokenBudget budget, TimeProvider time, ILogger<TurnRunner> log)
    : IDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    /// <summary>How long an answer waits for an unavailable database, because asking the model again costs more.</summary>
    private static readonly TimeSpan KeepFor = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<Guid, RunningTurn> _running = new();
    private readonly ConcurrentDictionary<RunningTurn, Task> _attempts = new();
    private readonly CancellationTokenSource _handOn = new();

    public event EventHandler? Started;

    public Guid Process { get; } = Guid.NewGuid();

    public ICollection<RunningTurn> Running => _running.Values;

    public ICollection<Task> Attempts => _attempts.Values;

    public bool HasHandedOn => _handOn.IsCancellationRequested;

    public RunningTurn? Find(Guid turnId) => _running.GetValueOrDefault(turnId);

    public void HandOnAfter(TimeSpan delay) => _handOn.CancelAfter(delay);

    public Task HandOnAsync() => _handOn.CancelAsync();

    /// <param name="stopped">Set for a turn that its reader has stopped: nothing is left to do but to end it.</param>
    public void Start(ClaimedTurn turn, Conversation? conversation, StoppedDraft? stopped = null)
    {
        var running = new RunningTurn(turn, _handOn.Token);
        if (stopped is not null)
            running.Restore(stopped);
        RunningTurn? before = null;
        _running.AddOrUpdate(turn.Id, running, (_, other) =>
        {
            before = other;
            return other.Turn.Attempt > turn.Attempt ? other : running;
        });
        // An earlier attempt at the same turn would ask the model for an answer that it may no longer store.
        (before?.Turn.Attempt > turn.Attempt ? running : before)?.Drop();

        var attempt = Task.Run(() => RunAsync(running, conversation));
        _attempts[running] = attempt;
        _ = attempt.ContinueWith(
            _ => _attempts.TryRemove(running, out Task? _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        Started?.Invoke(this, EventArgs.Empty);
    }

    /// <summary>The token source is not disposed of, because the host may stop <see cref="TurnLeases"/> later.</summary>
    public void Dispose() => _handOn.Cancel();

    private async Task RunAsync(RunningTurn running, Conversation? conversation)
    {
        var started = Stopwatch.GetTimestamp();
        var turn = running.Turn;
        var dropped = running.Dropped;
        try
        {
            if (turn.Takeovers > TurnOptions.MaxTakeovers && !running.IsStopped)
            {
                // The turn may be what ends each process, so the takeovers are limited.
                await FailAsync(running, TurnFailure.Abandoned(), started, dropped);
                return;
            }

            var answer = await WriteAsync(running, conversation);
            var response = ChatResponse.From(answer, turn, time.GetUtcNow(), LatencyMs(started));
            var json = TurnJson.Write(response);
            running.Finish(await CompleteAsync(running, response, json, dropped) ? new(json, null, response.IsStopped) : TurnEnd.Lost);
        }
        catch (OperationCanceledException) when (dropped.IsCancellationRequested)
        {
            running.Finish(TurnEnd.Lost);
        }
        catch (Exception e)
        {
            await FailAsync(running, e, started, dropped);
        }
        finally
        {
            // Only this attempt is removed, because a later one may have taken its place.
            _running.TryRemove(KeyValuePair.Create(turn.Id, running));
            running.Finish(TurnEnd.Lost);
            running.Dispose();
            // Nothing was stored (the conversation was deleted, say), but the model was asked.
            if (turn.Account is { } account && await running.WaitForEndAsync(CancellationToken.None) == TurnEnd.Lost)
                await budget.CountAsync(account, running.UnsavedTokens);
            if (HasHandedOn)
                await ReleaseAsync();
        }
    }

    private async Task<Answer> WriteAsync(RunningTurn running, Conversation? conversation)
    {
        try
        {
            running.Writing.ThrowIfCancellationRequested();
            conversation ??= await WaitForPlaceAsync(running.Turn, running.Writing);
            if (running.Turn.Question.History is { } history)
                conversation = conversation with { History = history };
            return await writer.WriteAsync(running.Turn.Question, conversation, running, running.Turn.IsOffline, running.Writing);
        }
        catch (OperationCanceledException) when (running.IsStopped && !running.Dropped.IsCancellationRequested)
        {
            return running.StoppedAnswer(writer.ModelOf(running.Turn.IsOffline));
        }
    }

    private async Task<Conversation> WaitForPlaceAsync(ClaimedTurn turn, CancellationToken cancellationToken)
    {
        while (true)
        {
            var before = Running.FirstOrDefault(t => t.Turn.SessionId == turn.SessionId && t.Turn.Number < turn.Number);
            if (before is not null)
                await before.WaitForEndAsync(cancellationToken);
            if (await ConversationSql.TryReadAsync(database, turn, cancellationToken) is { } conversation)
                return conversation;
            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    private async Task<bool> CompleteAsync(RunningTurn running, ChatResponse response, string json, CancellationToken dropped)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await end.CompleteAsync(running.Turn, response, json, running.Tally.Total, dropped);
            }
            catch (Exception e) when (e.IsDatabaseUnavailable() && time.GetElapsedTime(started) < KeepFor)
            {
                await Task.Delay(Poll, time, dropped);
            }
        }
    }

    private async Task FailAsync(RunningTurn running, Exception exception, long started, CancellationToken dropped)
    {
        if (exception is not FailureException)
            log.LogError(exception, "Turn {Turn} failed", running.Turn.ShortId);
        var failure = TurnFailure.From(exception, running.Snapshot(int.MaxValue).Retrieved ?? []);
        try
        {
            await FailAsync(running, failure, started, dropped);
        }
        catch (OperationCanceledException) when (dropped.IsCancellationRequested)
        {
            running.Finish(TurnEnd.Lost);
        }
        catch (Exception e)
        {
            // The database is unavailable too: the reader gets the failure, and the turn is taken over when its lease expires.
            log.LogWarning("Turn {Turn} could not be ended: {Reason}", running.Turn.ShortId, e.GetType().Name);
            running.Finish(new(null, failure));
        }
    }

    private async Task FailAsync(RunningTurn running, TurnFailure failure, long started, CancellationToken dropped) =>
        running.Finish(await end.FailAsync(running.Turn, failure, LatencyMs(started), running.Tally.Total, dropped) ? new(null, failure) : TurnEnd.Lost);

    private async Task ReleaseAsync()
    {
        try
        {
            await TurnLeases.ReleaseAsync(database, Process, CancellationToken.None);
        }
        catch (Exception e)
        {
            log.LogWarning("The turns could not be handed on ({Reason}); their leases expire by themselves", e.GetType().Name);
        }
    }

    private static int LatencyMs(long started) => (int)Stopwatch.GetElapsedTime(started).TotalMilliseconds;
}
