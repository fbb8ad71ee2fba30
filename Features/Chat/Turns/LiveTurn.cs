using System.Text;
using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>What a turn has come to: an answer, a failure, or neither when another process has it now.</summary>
internal sealed record TurnEnd(string? ResponseJson, TurnFailure? Failure)
{
    /// <summary>The turn is no longer this process's.</summary>
    public static readonly TurnEnd Lost = new(null, null);
}

/// <summary>A view of a turn at one moment.</summary>
/// <param name="Attempt">A higher attempt than a reader knows means that the answer began again.</param>
/// <param name="Retrieved">Null until the book was searched.</param>
/// <param name="Text">The answer from the offset that was asked for.</param>
/// <param name="HasMore">The text goes on: it was too much for one event.</param>
internal sealed record TurnSnapshot(
    Guid SessionId, int Attempt, IReadOnlyList<RetrievedPassage>? Retrieved, IReadOnlyList<Citation> Citations, string Text, TurnEnd? End, bool HasMore = false);

/// <summary>What was found for a running turn, and what of it its answer cites so far.</summary>
internal sealed record TurnSources(IReadOnlyList<RetrievedPassage> Retrieved, IReadOnlyList<Citation> Citations);

/// <summary>What a process has not saved of a running turn yet, for readers on other replicas.</summary>
/// <param name="Sources">Null when they are as they were.</param>
/// <param name="Start">Where the text begins in the answer, in UTF-16 code units.</param>
/// <param name="Text">Empty when there is no more of it.</param>
internal sealed record TurnPartial(TurnSources? Sources, int Start, string Text);

/// <summary>
/// A turn that this process is answering. One writer; any number of readers, none of which it waits for. The text is kept once
/// for all of them, and each copies only what is new to it.
/// </summary>
internal sealed class LiveTurn : IAnswerDraft, IDisposable
{
    /// <summary>The longest text of one event, in UTF-16 code units: so much is copied for a reader who does not take it.</summary>
    private const int MostInOneEvent = 4 * 1024;

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenRegistration _aborting;
    private readonly StringBuilder _text = new();
    private IReadOnlyList<RetrievedPassage>? _retrieved;
    private IReadOnlyList<Citation> _citations = [];
    private readonly TaskCompletionSource<TurnEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _savedCitations = -1;
    private int _savedLength;
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

    /// <summary>The answer so far, whole.</summary>
    public string Text
    {
        get
        {
            lock (_lock)
                return _text.ToString();
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
    public void Finish(TurnEnd end) => Change(() => _end.TrySetResult(end));

    /// <summary>The turn now, with as much of its text from an offset on as one event takes.</summary>
    /// <param name="offset">In UTF-16 code units; behind the end there is none.</param>
    public TurnSnapshot Snapshot(int offset)
    {
        lock (_lock)
        {
            var start = Math.Min(offset, _text.Length);
            var end = Math.Min(_text.Length, start + MostInOneEvent);
            // Both halves of a character go together.
            if (end < _text.Length && char.IsHighSurrogate(_text[end - 1]))
                end--;
            return new(
                Turn.SessionId, Turn.Attempt, _retrieved, _citations, _text.ToString(start, end - start),
                _end.Task.IsCompleted ? _end.Task.Result : null, HasMore: end < _text.Length);
        }
    }

    /// <summary>Waits for the end.</summary>
    public Task<TurnEnd> WaitForEndAsync(CancellationToken cancellationToken) => _end.Task.WaitAsync(cancellationToken);

    /// <summary>What is not in the database yet.</summary>
    public TurnPartial Unsaved()
    {
        lock (_lock)
        {
            var sources = _retrieved is not null && _citations.Count > _savedCitations ? new TurnSources(_retrieved, _citations) : null;
            return new(sources, _savedLength, _text.ToString(_savedLength, _text.Length - _savedLength));
        }
    }

    /// <summary>The database has this now.</summary>
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
