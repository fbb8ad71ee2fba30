using System.Text;
using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>
/// A turn that this process is answering. It has one writer, which waits for no reader, and any number of readers. They share
/// one copy of the text, and each takes only what is new to it.
/// </summary>
internal sealed class RunningTurn : IAnswerDraft, IDisposable
{
    /// <summary>The longest text of one event, in UTF-16 code units: as much as is copied for a reader that does not read it.</summary>
    private const int MostInOneEvent = 4 * 1024;

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenRegistration _handingOn;
    private readonly StringBuilder _text = new();
    private IReadOnlyList<RetrievedPassage>? _retrieved;
    private IReadOnlyList<Citation> _citations = [];
    private readonly TaskCompletionSource<TurnEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _savedCitations = -1;
    private int _savedLength;
    private TaskCompletionSource _changed = NewSignal();

    /// <param name="handOn">Stops all turns of this process.</param>
    public RunningTurn(ClaimedTurn turn, CancellationToken handOn)
    {
        Turn = turn;
        _handingOn = handOn.UnsafeRegister(running => ((RunningTurn)running!).Stop(), this);
    }

    public ClaimedTurn Turn { get; }

    /// <summary>Canceled when the attempt has to stop.</summary>
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

    /// <inheritdoc/>
    public string Text
    {
        get
        {
            lock (_lock)
                return _text.ToString();
        }
    }

    /// <summary>Cancels the attempt, without waiting for it. The turn stays as it is in the database.</summary>
    public void Stop() => _ = _stop.CancelAsync();

    /// <summary>The attempt is over. The token source has nothing to dispose of, and <see cref="Stop"/> may still be called.</summary>
    public void Dispose() => _handingOn.Unregister();

    /// <inheritdoc/>
    public void SetRetrieved(IReadOnlyList<RetrievedPassage> retrieved) => Change(() => _retrieved = retrieved);

    /// <inheritdoc/>
    public void Append(string text, IReadOnlyList<Citation> citations) => Change(() =>
    {
        _text.Append(text);
        _citations = citations;
    });

    /// <summary>The turn is over for this process. Only the first call counts.</summary>
    public void Finish(TurnEnd end) => Change(() => _end.TrySetResult(end));

    /// <summary>The turn now, with as much of its text from an offset on as one event takes.</summary>
    /// <param name="offset">In UTF-16 code units; no text when it is past the end.</param>
    public TurnSnapshot Snapshot(int offset)
    {
        lock (_lock)
        {
            var start = Math.Min(offset, _text.Length);
            var end = Math.Min(_text.Length, start + MostInOneEvent);
            // A surrogate pair is not split.
            if (end < _text.Length && char.IsHighSurrogate(_text[end - 1]))
                end--;
            return new(
                Turn.SessionId, Turn.Attempt, _retrieved, _citations, _text.ToString(start, end - start),
                _end.Task.IsCompleted ? _end.Task.Result : null, HasMore: end < _text.Length);
        }
    }

    /// <summary>Waits for the end.</summary>
    public Task<TurnEnd> WaitForEndAsync(CancellationToken cancellationToken) => _end.Task.WaitAsync(cancellationToken);

    /// <summary>What is not in the database yet, for readers on other replicas.</summary>
    public TurnPartial Unsaved()
    {
        lock (_lock)
        {
            var sources = _retrieved is not null && _citations.Count > _savedCitations ? new TurnSources(_retrieved, _citations) : null;
            return new(sources, _savedLength, _text.ToString(_savedLength, _text.Length - _savedLength));
        }
    }

    /// <summary>Marks it as stored.</summary>
    /// <param name="length">The length of the text there, in UTF-16 code units.</param>
    public void Saved(TurnPartial partial, int length)
    {
        lock (_lock)
        {
            _savedCitations = partial.Sources?.Citations.Count ?? _savedCitations;
            _savedLength = length;
        }
    }

    private void Change(Action change)
    {
        TaskCompletionSource signal;
        lock (_lock)
        {
            change();
            signal = _changed;
            _changed = NewSignal();
        }

        signal.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>What of a running turn is not in the database yet.</summary>
/// <param name="Sources">Null when they have not changed.</param>
/// <param name="Start">Where the text begins in the answer, in UTF-16 code units.</param>
/// <param name="Text">Empty when all of it is stored.</param>
internal sealed record TurnPartial(TurnSources? Sources, int Start, string Text);
