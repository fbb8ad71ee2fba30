using System.Diagnostics;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Ai.Safety;
using ChatBackend.Infrastructure.Docusaurus;
using Microsoft.Extensions.Options;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>Writes the answer of a turn: searches the book, asks the model, checks the citations. Touches no rows.</summary>
internal sealed class TurnAnswer(Retrieval retrieval, IChatModel model, IOptions<ChatOptions> options, IOptions<AiOptions> ai, IOptions<SiteOptions> site, TimeProvider time)
{
    /// <summary>How often a prompt that was too long for the model is halved.</summary>
    private const int Halvings = 2;

    /// <summary>The messages of a prompt without history: instructions, material, question.</summary>
    private const int WithoutHistory = 3;

    /// <param name="live">Where readers see the answer grow.</param>
    /// <param name="started">The timestamp (<see cref="Stopwatch"/>) from which the latency counts.</param>
    /// <exception cref="ModelException">The model gave nothing that could be shown.</exception>
    public async Task<ChatResponse> WriteAsync(LiveTurn live, TurnContext context, long started, CancellationToken cancellationToken)
    {
        var question = live.Turn.Question;
        if (SmallTalk.Answer(question, site.Value) is { } reply)
            return WriteSmallTalk(live, reply, started);

        var begun = time.GetTimestamp();
        var found = await retrieval.FindAsync(question, context.History, cancellationToken);
        var sources = found.Passages.Select(RetrievedPassage.From).ToArray();
        live.SetRetrieved(sources);

        var markers = new CitationMarkers(sources.Length);
        // After the markers: a marker that is dropped could join what stood apart.
        var safe = new SafeMarkdown();
        var hasText = false;
        ModelPiece? last = null;
        try
        {
            await foreach (var piece in AskAsync(question, context, found, begun, cancellationToken))
            {
                last = piece;
                // PostgreSQL stores no U+0000.
                Show(safe.Push(markers.Push(piece.Text.Replace("\0", "", StringComparison.Ordinal))));
            }
        }
        catch (ModelException) when (hasText)
        {
            // Readers have seen the beginning: it is kept and marked, and not asked for again.
            last = null;
        }

        Show(safe.Push(markers.Flush()) + safe.Flush());
        if (!hasText)
            throw new ModelException(ModelFailure.Failed, "The model gave an empty answer.");

        var citations = Cited();
        var isIncomplete = last?.Finish is not ModelFinish.Stop;
        return new(
            live.Text, live.Turn.SessionId, time.GetUtcNow(), Guid.NewGuid(), live.Turn.Id, citations, GroundingOf(),
            isIncomplete, last?.Finish is { } finish ? TurnJson.Name(finish) : "interrupted", last?.Model ?? model.Name,
            new(
                last?.Usage?.InputTokens + (found.Usage?.InputTokens ?? 0), last?.Usage?.OutputTokens + (found.Usage?.OutputTokens ?? 0),
                (int)Stopwatch.GetElapsedTime(started).TotalMilliseconds));

        // An answer that was cut may have had its citations ahead: that is no gap in the book.
        Grounding GroundingOf() =>
            citations.Count > 0 ? found.IsStrong ? Grounding.Grounded : Grounding.Partial
            : isIncomplete && sources.Length > 0 ? Grounding.Partial
            : Grounding.None;

        void Show(string shown)
        {
            if (shown.Length == 0)
                return;
            hasText |= !string.IsNullOrWhiteSpace(shown);
            live.Append(shown, Cited());
        }

        IReadOnlyList<Citation> Cited() => [.. markers.Used.Select((given, i) => sources[given - 1].Cite(i + 1))];
    }

    private ChatResponse WriteSmallTalk(LiveTurn live, string reply, long started)
    {
        live.SetRetrieved([]);
        live.Append(reply, []);
        return new(
            reply, live.Turn.SessionId, time.GetUtcNow(), Guid.NewGuid(), live.Turn.Id, [], Grounding.None,
            Incomplete: false, TurnJson.Name(ModelFinish.Stop), SmallTalk.Model,
            new(InputTokens: 0, OutputTokens: 0, (int)Stopwatch.GetElapsedTime(started).TotalMilliseconds));
    }

    /// <summary>
    /// Asks the model. A prompt that it finds too long is asked again, within the same time, with half of the history's room; where
    /// there is no history, with half of the passages, the best of them.
    /// </summary>
    private async IAsyncEnumerable<ModelPiece> AskAsync(
        Question question, TurnContext context, Retrieved found, long begun, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var tokens = options.Value.ContextTokens;
        var passages = found.Passages;
        for (var attempt = 0; ; attempt++)
        {
            var messages = ChatPrompt.Build(ChatPrompt.NewFence(), question, context, passages, tokens, site.Value.BookTitle);
            // The search was part of the answer's time.
            var left = TimeSpan.FromSeconds(ai.Value.TimeoutSeconds) - time.GetElapsedTime(begun);
            var request = new ModelRequest(messages)
            {
                Question = found.SearchText,
                MaxOutputTokens = ai.Value.MaxOutputTokens,
                Budget = left > TimeSpan.Zero ? left : TimeSpan.Zero,
                Quotable = [.. passages.Select((p, i) => new QuotableText(i + 1, string.Join(" › ", p.HeadingPath), p.Text))],
            };
            await using var pieces = model.StreamAsync(request, cancellationToken).GetAsyncEnumerator(cancellationToken);
            bool any;
            try
            {
                any = await pieces.MoveNextAsync();
            }
            catch (ModelException e) when (e.Failure == ModelFailure.ContextTooLong && attempt < Halvings)
            {
                if (messages.Count > WithoutHistory)
                    tokens = Math.Min(tokens, messages.Sum(m => TokenEstimate.Of(m.Content))) / 2;
                else
                    passages = [.. passages.Take((passages.Count + 1) / 2)];
                continue;
            }

            while (any)
            {
                yield return pieces.Current;
                any = await pieces.MoveNextAsync();
            }

            yield break;
        }
    }
}
