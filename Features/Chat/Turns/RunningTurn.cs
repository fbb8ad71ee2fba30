using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Has one writer, which does not wait for readers, and any number of readers. They share one copy of the text.</summary>
internal sealed class RunningTurn : IAnswerDraft, IDisposable
{
    /// <summary>In UTF-16 code units. Limits how much is copied for a reader that does not read it.</summary>
    private const int MostInOneEvent = 4 * 1024;

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _drop = new();
    private readonly CancellationTokenSource _write = new();
    private readonly CancellationTokenRegistration _handingOn;
    private readonly StringBuilder _text = new();
    private IReadOnlyList<RetrievedPassage>? _retrieved;
    private IReadOnlyList<Citation> _citations = [];
    private readonly TaskCompletionSource<TurnEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _savedCitations = -1;
    private int _savedLength;
    private long _savedTokens;
    private TaskCompletionSource _changed = NewSignal();
    private (int Offset, TurnSnapshot Snapshot)? _latest;

    public RunningTurn(ClaimedTurn turn, CancellationToken handOn)
    {
        Turn = turn;
        _handingOn = handOn.UnsafeRegister(running => ((RunningTurn)running!).Drop(), this);
    }

    public ClaimedTurn Turn { get; }

    /// <summary>Cancelled when the turn no longer belongs to this process.</summary>
    public CancellationToken Dropped => _drop.Token;

    /// <summary>Cancelled when the answer need not be written any further: the turn was dropped, or its reader stopped it.</summary>
    public CancellationToken Writing => _write.Token;

    public bool IsStopped { get; private set; }

    public TokenTally Tally { get; } = new();

    /// <summary>Tokens that no beat has counted yet.</summary>
    public long UnsavedTokens => Tally.Total - Interlocked.Read(ref _savedTokens);

    /// <summary>Completes at the next change. Take it before the snapshot, and wait for it after.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
                return _changed.Task;
        }
    }

    public string Text
    {
        get
        {
            lock (_lock)
                return _text.ToString();
        }
    }

    /// <summary>Does not wait for the attempt. The turn stays as it is in the database.</summary>
    public void Drop()
    {
        _ = _drop.CancelAsync();
        _ = _write.CancelAsync();
    }

    /// <summary>Does not wait for the attempt, which ends the turn with what is written so far.</summary>
    public void Stop()
    {
        IsStopped = true;
        _ = _write.CancelAsync();
    }

    /// <summary>The token sources are not disposed of, because <see cref="Drop"/> and <see cref="Stop"/> may still be called.</summary>
    public void Dispose() => _handingOn.Unregister();

    public void Restore(StoppedDraft draft)
    {
        _retrieved = draft.Sources?.Retrieved;
        Append(draft.Text, draft.Sources?.Citations ?? []);
        Stop();
    }

    /// <summary>Nothing is added after it: what readers have seen is what is kept.</summary>
    public Answer StoppedAnswer(string model)
    {
        lock (_lock)
            return new(_text.ToString(), _citations, _retrieved is [_, ..] ? Grounding.Partial : Grounding.None, Finish: null, model, Usage: null, IsStopped: true);
    }

    public void SetRetrieved(IReadOnlyList<RetrievedPassage> retrieved) => Change(() => _retrieved = retrieved);

    public void Append(string text, IReadOnlyList<Citation> citations) => Change(() =>
    {
        _text.Append(text);
        _citations = citations;
    });

    public void Finish(TurnEnd end) => Change(() => _end.TrySetResult(end));

    /// <summary>Readers at the same place get the same snapshot, until the next change.</summary>
    /// <param name="offset">In UTF-16 code units; no text when it is past the end.</param>
    public TurnSnapshot Snapshot(int offset)
    {
        lock (_lock)
        {
            if (_latest is { } latest && latest.Offset == offset)
                return latest.Snapshot;
            var start = Math.Min(offset, _text.Length);
            var end = Math.Min(_text.Length, start + MostInOneEvent);
            if (end < _text.Length && char.IsHighSurrogate(_text[end - 1]))
                end--;
            var snapshot = new TurnSnapshot(
                Turn.SessionId, Turn.Attempt, _retrieved, _citations, _text.ToString(start, end - start),
                _end.Task.IsCompleted ? _end.Task.Result : null, HasMore: end < _text.Length);
            _latest = (offset, snapshot);
            return snapshot;
        }
    }

    public Task<TurnEnd> WaitForEndAsync(CancellationToken cancellationToken) => _end.Task.WaitAsync(cancellationToken);

    public TurnPartial Unsaved()
    {
        lock (_lock)
        {
            var sources = _retrieved is not null && _citations.Count > _savedCitations ? new TurnSources(_retrieved, _citations) : null;
            return new(sources, _savedLength, _text.ToString(_savedLength, _text.Length - _savedLength), Tally.Total);
        }
    }

    public void Saved(TurnPartial partial, int length)
    {
        lock (_lock)
        {
            _savedCitations = partial.Sources?.Citations.Count ?? _savedCitations;
            _savedLength = length;
            Interlocked.Exchange(ref _savedTokens, partial.Tokens);
        }
    }

    private void Change(Action change)
    {
        TaskCompletionSource signal;
        lock (_lock)
        {
            change();
            _latest = null;
            signal = _changed;
            _changed = NewSignal();
        }

        signal.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <param name="Start">Where the text begins in the answer, in UTF-16 code units.</param>
/// <param name="Tokens">What models have used since the attempt began.</param>
internal sealed record TurnPartial(TurnSources? Sources, int Start, string Text, long Tokens);
