using System.Diagnostics;
using System.Text;
using ChatBackend.Infrastructure.Ai;
using Microsoft.Extensions.Options;

namespace ChatBackend.Features.Chat;

/// <summary>Writes the answer of a turn: searches the book, asks the model, checks the citations. Touches no rows.</summary>
internal sealed class TurnAnswer(Retrieval retrieval, IChatModel model, IOptions<ChatOptions> options, IOptions<AiOptions> ai, TimeProvider time)
{
    /// <summary>How often a prompt that was too long for the model is halved.</summary>
    private const int Halvings = 2;

    /// <param name="live">Where readers see the answer grow.</param>
    /// <param name="started">The timestamp (<see cref="Stopwatch"/>) from which the latency counts.</param>
    /// <exception cref="ModelException">The model gave nothing that could be shown.</exception>
    public async Task<ChatResponse> WriteAsync(LiveTurn live, TurnContext context, long started, CancellationToken cancellationToken)
    {
        var question = live.Turn.Question;
        var found = await retrieval.FindAsync(question, context.History, cancellationToken);
        var sources = found.Passages.Select(RetrievedPassage.From).ToArray();
        live.SetRetrieved(sources);

        var markers = new CitationMarkers(sources.Length);
        var text = new StringBuilder();
        ModelPiece? last = null;
        try
        {
            await foreach (var piece in AskAsync(question, context, found, cancellationToken))
            {
                last = piece;
                Show(markers.Push(piece.Text));
            }
        }
        catch (ModelException) when (!string.IsNullOrWhiteSpace(text.ToString()))
        {
            // Readers have seen the beginning: it is kept and marked, and not asked for again.
            last = null;
        }

        Show(markers.Flush());
        if (string.IsNullOrWhiteSpace(text.ToString()))
            throw new ModelException(ModelFailure.Failed, "The model gave an empty answer.");

        var citations = Cited();
        return new(
            text.ToString(), live.Turn.SessionId, time.GetUtcNow(), Guid.NewGuid(), live.Turn.Id, citations,
            citations.Count == 0 ? Grounding.None : found.IsStrong ? Grounding.Grounded : Grounding.Partial,
            Incomplete: last?.Finish is not ModelFinish.Stop,
            last?.Finish is { } finish ? TurnJson.Name(finish) : "interrupted",
            last?.Model ?? model.Name,
            new(last?.Usage?.InputTokens, last?.Usage?.OutputTokens, (int)Stopwatch.GetElapsedTime(started).TotalMilliseconds));

        void Show(string shown)
        {
            if (shown.Length == 0)
                return;
            text.Append(shown);
            live.Append(shown, Cited());
        }

        IReadOnlyList<Citation> Cited() => [.. markers.Used.Select((given, i) => sources[given - 1].Cite(i + 1))];
    }

    /// <summary>Asks the model; a prompt that it finds too long is asked again with half of the history's room, within the same time.</summary>
    private async IAsyncEnumerable<ModelPiece> AskAsync(
        Question question, TurnContext context, Retrieved found, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var tokens = options.Value.ContextTokens;
        var started = time.GetTimestamp();
        for (var attempt = 0; ; attempt++)
        {
            var messages = ChatPrompt.Build(ChatPrompt.NewFence(), question, context, found.Passages, tokens);
            var request = new ModelRequest(messages)
            {
                Question = found.SearchText,
                Budget = TimeSpan.FromSeconds(ai.Value.TimeoutSeconds) - time.GetElapsedTime(started),
                Quotable = [.. found.Passages.Select((p, i) => new QuotableText(i + 1, string.Join(" › ", p.HeadingPath), p.Text))],
            };
            await using var pieces = model.StreamAsync(request, cancellationToken).GetAsyncEnumerator(cancellationToken);
            bool any;
            try
            {
                any = await pieces.MoveNextAsync();
            }
            catch (ModelException e) when (e.Failure == ModelFailure.ContextTooLong && attempt < Halvings)
            {
                tokens = Math.Min(tokens, messages.Sum(m => Infrastructure.Search.TokenEstimate.Of(m.Content))) / 2;
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
