using System.Text;

namespace ChatBackend.Features.Chat;

/// <summary>What a turn has come to: an answer, a failure, or neither when another process has it now.</summary>
internal sealed record TurnEnd(string? ResponseJson, TurnFailure? Failure)
{
    /// <summary>The turn is no longer this process's.</summary>
    public static readonly TurnEnd Lost = new(null, null);
}

/// <summary>A view of a turn at one moment.</summary>
/// <param name="Attempt">A higher attempt than a reader knows means that the answer began again.</param>
/// <param name="Retrieved">Null until the book was searched.</param>
/// <param name="Text">The answer so far, or as much of it as was asked for.</param>
internal sealed record TurnSnapshot(
    Guid SessionId, int Attempt, IReadOnlyList<RetrievedPassage>? Retrieved, IReadOnlyList<Citation> Citations, string Text, TurnEnd? End);

/// <summary>What a process saves of a running turn, for readers on other replicas.</summary>
internal sealed record TurnPartial(IReadOnlyList<RetrievedPassage> Retrieved, IReadOnlyList<Citation> Citations, string Text);

/// <summary>A turn that this process is answering. One writer; any number of readers, none of which it waits for.</summary>
internal sealed class LiveTurn : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenRegistration _aborting;
    private readonly StringBuilder _text = new();
    private IReadOnlyList<RetrievedPassage>? _retrieved;
    private IReadOnlyList<Citation> _citations = [];
    private TurnEnd? _end;
    private bool _isSaved = true;
    private TaskCompletionSource _changed = NewSignal();

    /// <param name="abort">Stops the work of all turns.</param>
    public LiveTurn(ClaimedTurn turn, CancellationToken abort)
    {
        Turn = turn;
        _aborting = abort.UnsafeRegister(live => ((LiveTurn)live!).Stop(), this);
    }

    public ClaimedTurn Turn { get; }

    /// <summary>Cancelled when the work has to stop.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>Completes at the next change: take it before the snapshot, wait for it after.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
                return _changed.Task;
        }
    }

    /// <summary>Stops the work; the turn itself stays as it is in the database. Waits for nothing and never throws.</summary>
    public void Stop() => _ = _stop.CancelAsync();

    /// <summary>The work is over: what stops all turns forgets this one. (The source itself holds nothing to dispose of, and may be told to stop late.)</summary>
    public void Dispose() => _aborting.Unregister();

    /// <summary>The book was searched.</summary>
    public void SetRetrieved(IReadOnlyList<RetrievedPassage> retrieved) => Change(() => _retrieved = retrieved);

    /// <summary>More of the answer, with all that it cites so far.</summary>
    public void Append(string text, IReadOnlyList<Citation> citations) => Change(() =>
    {
        _text.Append(text);
        _citations = citations;
    });

    /// <summary>The turn is over for this process.</summary>
    public void Finish(TurnEnd end) => Change(() => _end ??= end);

    /// <summary>The turn now, with its text from an offset on.</summary>
    public TurnSnapshot Snapshot(int offset = 0)
    {
        lock (_lock)
            return new(Turn.SessionId, Turn.Attempt, _retrieved, _citations, offset < _text.Length ? _text.ToString(offset, _text.Length - offset) : "", _end);
    }

    /// <summary>Waits for the end.</summary>
    public async Task<TurnEnd> WaitForEndAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = Changed;
            if (Snapshot(int.MaxValue).End is { } end)
                return end;
            await changed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>What is new since the last call, to be saved; null when nothing is.</summary>
    public TurnPartial? TakeUnsaved()
    {
        lock (_lock)
        {
            if (_isSaved || _retrieved is null || _end is not null)
                return null;
            _isSaved = true;
            return new(_retrieved, _citations, _text.ToString());
        }
    }

    private void Change(Action change)
    {
        TaskCompletionSource signal;
        lock (_lock)
        {
            change();
            _isSaved = false;
            signal = _changed;
            _changed = NewSignal();
        }

        signal.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
