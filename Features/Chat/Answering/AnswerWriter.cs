using System.Runtime.CompilerServices;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Ai.Offline;
using ChatBackend.Infrastructure.Ai.Safety;
using ChatBackend.Infrastructure.Docusaurus;
using Microsoft.Extensions.Options;

namespace ChatBackend.Features.Chat.Answering;

/// <param name="configured">Null where no model is configured: the answer then quotes the book.</param>
internal sealed class AnswerWriter(
    Retrieval retrieval, IOptions<AiOptions> ai, IOptions<SiteOptions> site,
    TimeProvider time, IChatModel? configured = null)
{
    private const int Halvings = 2;

    // Instructions, material, question.
    private const int WithoutHistory = 3;

    /// <summary>Who writes: the model's name, also where it wrote nothing yet.</summary>
    public string ModelOf(bool isOffline) => (isOffline ? null : configured?.Name) ?? ModelNames.Offline;

    /// <param name="isOffline">True to quote the book, as if there were no model.</param>
    /// <exception cref="ModelException">The model gave nothing that could be shown.</exception>
    public async Task<Answer> WriteAsync(Question question, Conversation conversation, IAnswerDraft draft, bool isOffline, CancellationToken cancellationToken)
    {
        var model = isOffline ? null : configured;
        var language = conversation.Profile?.PreferredLanguage;
        if (SmallTalk.Answer(question, site.Value, language) is { } reply)
        {
            draft.SetRetrieved([]);
            draft.Append(reply, []);
            return new(reply, [], Grounding.None, ModelFinish.Stop, ModelNames.SmallTalk, new(0, 0));
        }

        var begun = time.GetTimestamp();
        var found = await retrieval.FindAsync(question, conversation.History, model, draft.Tally, cancellationToken);
        var sources = found.Passages.Select(RetrievedPassage.From).ToArray();
        draft.SetRetrieved(sources);

        var quotation = model is null && found.Written is null
            ? OfflineAnswerer.Answer(found.SearchText, question.Message, found.Passages, SmallTalk.QuotedFrom(question, site.Value, language))
            : null;
        var written = model is null ? found.Written ?? quotation?.Text ?? SmallTalk.NotCovered(question, site.Value, language)
            : sources.Length == 0 ? found.Written : null;
        var markers = new CitationMarkers(sources.Length, written is null ? new CitationCheck(question.Message, found.Passages).Fits : null);
        // It runs after the markers, because a dropped marker can join the text around it into new Markdown.
        var safe = new SafeMarkdown();
        var hasText = false;
        IReadOnlyList<Citation> citations = [];
        ModelPiece? last = null;
        try
        {
            var pieces = written is not null
                ? OfflineAnswerer.StreamAsync(written, ai.Value.MaxOutputTokens, cancellationToken)
                : AskAsync(model!, question, conversation, found, begun, draft.Tally, cancellationToken);
            await foreach (var piece in pieces)
            {
                last = piece;
                // PostgreSQL cannot store U+0000.
                Show(safe.Push(markers.Push(piece.Text.Replace("\0", "", StringComparison.Ordinal))));
            }
        }
        catch (ModelException) when (hasText)
        {
            // Readers have seen the start of the answer, so it is kept as incomplete and not written again.
            last = null;
        }

        Show(safe.Push(markers.Flush()) + safe.Flush());
        if (!hasText)
            throw new ModelException(ModelFailure.Failed, "The model gave an empty answer.");

        var isIncomplete = last?.Finish is not ModelFinish.Stop;
        return new(draft.Text, citations, GroundingOf(), last?.Finish, last?.Model ?? ModelOf(isOffline), UsageOf());

        // A cut answer may end before its first citation, which does not mean that the book has a gap.
        Grounding GroundingOf() =>
            citations.Count > 0 ? markers.HasDropped || quotation is { IsWhole: false } ? Grounding.Partial : Grounding.Grounded
            : isIncomplete && sources.Length > 0 ? Grounding.Partial
            : Grounding.None;

        ModelUsage? UsageOf() => last?.Usage is not { } used ? null
            : new(used.InputTokens + (found.Usage?.InputTokens ?? 0), used.OutputTokens + (found.Usage?.OutputTokens ?? 0));

        void Show(string shown)
        {
            if (shown.Length == 0)
                return;
            hasText |= !string.IsNullOrWhiteSpace(shown);
            if (markers.Used.Count > citations.Count)
                citations = [.. markers.Used.Select((given, i) => sources[given - 1].Cite(i + 1))];
            draft.Append(shown, citations);
        }
    }

    /// <summary>If the prompt is too long, asks again with half the history tokens or, without history, with the better half of the passages.</summary>
    private async IAsyncEnumerable<ModelPiece> AskAsync(
        IChatModel model, Question question, Conversation conversation, Retrieved found, long begun, TokenTally tally,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var tokens = ai.Value.ContextTokens;
        var passages = found.Passages;
        for (var attempt = 0; ; attempt++)
        {
            var messages = ChatPrompt.Build(ChatPrompt.NewFence(), question, conversation, passages, tokens, site.Value.BookTitle, found.Written);
            var left = TimeSpan.FromSeconds(ai.Value.TimeoutSeconds) - time.GetElapsedTime(begun);
            var request = new ModelRequest(messages)
            {
                MaxOutputTokens = ai.Value.MaxOutputTokens,
                Budget = left > TimeSpan.Zero ? left : TimeSpan.Zero,
                Tally = tally,
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

            // The request has been read. Its prompt is as long as the passages: it is not kept while the answer streams.
            messages.Clear();
            while (any)
            {
                yield return pieces.Current;
                any = await pieces.MoveNextAsync();
            }

            yield break;
        }
    }
}
