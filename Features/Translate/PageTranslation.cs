using System.Runtime.CompilerServices;
using ChatBackend.Features.Translate.Caching;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Limits;

namespace ChatBackend.Features.Translate;

/// <summary>The translation of a text for one caller, which is read once.</summary>
internal sealed class PageTranslation(CachedTranslator translator, TokenBudget budget, PageToTranslate page, TranslationTask task)
{
    private long _counted;

    /// <summary>True if the text is in the target language already: it stays as it is.</summary>
    public bool IsSame { get; init; }

    private List<SegmentTranslation> Outcomes { get; } = [];

    /// <summary>The segments in their order. Their tokens are counted at the end, and at each pause of a second before it.</summary>
    /// <exception cref="ModelException">The model failed, and nothing could be translated.</exception>
    public async IAsyncEnumerable<TranslatedSegment> ReadAsync(TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (IsSame)
            yield break;

        var texts = new Dictionary<int, string>();
        var segments = page.Document.Segments;
        var countedAt = time.GetTimestamp();
        try
        {
            await foreach (var outcome in translator.TranslateAsync(page.Document, task, cancellationToken))
            {
                Outcomes.Add(outcome);
                if (outcome.Text is { } text)
                    texts[outcome.Segment.Index] = text;
                if (time.GetElapsedTime(countedAt) > TimeSpan.FromSeconds(1))
                {
                    await CountAsync();
                    countedAt = time.GetTimestamp();
                }

                // A reader who has seen nothing yet gets the model's failure alone.
                if (outcome.Failure is not null && texts.Count == 0)
                    continue;

                var block = page.Document.TopBlockOf(outcome.Segment);
                var next = outcome.Segment.Index + 1;
                var isLast = block is not null && (next == segments.Count || page.Document.TopBlockOf(segments[next]) != block);
                yield return new(
                    outcome.Segment.Index, block, outcome.Segment.FirstLine, outcome.Segment.LastLine, page.Document.TextOf(outcome.Segment, outcome.Text), outcome.IsKnown,
                    isLast ? page.Document.TranslateBlock(block!.Value, texts, page.HeadingIds) : null);
            }
        }
        finally
        {
            await CountAsync();
        }

        if (texts.Count == 0 && Outcomes.Find(outcome => outcome.Failure is not null) is { Failure: { } failure })
            throw failure;
    }

    /// <summary>The whole, once all segments have been read.</summary>
    /// <param name="original">Given back if it is in the target language.</param>
    public TranslateResponse Response(string original)
    {
        var usage = new TranslateUsage(task.Usage.InputTokens, task.Usage.OutputTokens, task.Usage.Calls);
        var direction = TextDirection.Of(page.TargetLanguage);
        if (IsSame)
            return new(original, task.SourceLanguage!, page.TargetLanguage, direction, false, page.Document.Segments.Count, [], usage);

        var translated = TranslatedDocument.Of(page.Document, Outcomes, page.HeadingIds);

        return new(
            translated.Text, task.SourceLanguage!, page.TargetLanguage, direction, Outcomes.Count > 0 && Outcomes.TrueForAll(outcome => outcome.IsKnown), Outcomes.Count,
            [.. translated.Warnings.Select(warning => new TranslateWarning(warning.Line, warning.Detail))], usage);
    }

    private async Task CountAsync()
    {
        var used = task.Tally!.Total - _counted;
        _counted += used;
        await budget.CountAsync(page.Account, used);
    }
}
