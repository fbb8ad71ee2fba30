using System.Globalization;
using ChatBackend.Features.Translate.Caching;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Features.Translate.Book;

/// <summary>What the translation of some documents takes.</summary>
/// <param name="Missing">Segments whose translation is not stored.</param>
/// <param name="InputTokens">Of the prompts for them, estimated (<see cref="TokenEstimate"/>); each text counts once.</param>
/// <param name="OutputTokens">Of the answers: as many characters, in letters of the target language.</param>
internal sealed record TranslationCost(int Missing, int InputTokens, int OutputTokens);

/// <summary>Translates documents of a book for all of its readers, with the translations that are stored in the database.</summary>
internal sealed class BookTranslator(CachedTranslator translator, DocumentTranslator calls, TranslationTask task)
{
    /// <summary>The JSON around a translation.</summary>
    private const int TokensPerAnswer = 8;

    private readonly HashSet<string> _counted = new(StringComparer.Ordinal);

    public TranslationUsage Usage => task.Usage;

    /// <summary>What a document takes besides those that were asked about before: of the same text in two pages, one is translated.</summary>
    public async Task<TranslationCost> CostAsync(TranslatableDocument document, CancellationToken cancellationToken)
    {
        var known = await KnownAsync(document, cancellationToken);
        var missing = document.Segments.Where(segment => !known.ContainsKey(segment.Index)).ToArray();
        var paid = missing.Where(segment => _counted.Add(segment.Text)).ToArray();
        var prompts = calls.Batches(paid, task).Select(batch => TranslationPrompt.For(task, [.. batch.Select(segment => new SegmentToTranslate(segment))], isStructured: true));

        return new(
            missing.Length,
            prompts.Sum(prompt => prompt.Messages.Sum(message => TokenEstimate.Of(message.Content))),
            paid.Sum(segment => TokensPerAnswer + (int)(segment.Text.Length * TokensPerCharacter())));
    }

    /// <summary>The outcomes in the order of the segments.</summary>
    public async IAsyncEnumerable<SegmentTranslation> TranslateAsync(TranslatableDocument document, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var known = await KnownAsync(document, cancellationToken);
        await foreach (var outcome in translator.TranslateAsync(document, task with { Known = known, Group = _ => TranslationCache.Book }, cancellationToken))
            yield return outcome;
    }

    /// <summary>The operator's files are the book, so their translations are those that readers of the book share.</summary>
    private async Task<IReadOnlyDictionary<int, string>> KnownAsync(TranslatableDocument document, CancellationToken cancellationToken)
    {
        var found = await translator.FindAsync(document, task, [TranslationCache.Book], cancellationToken);

        return found.ToDictionary(translation => translation.Key, translation => translation.Value.Text);
    }

    /// <summary>Of the script in which the target language writes its own name.</summary>
    private double TokensPerCharacter()
    {
        string name;
        try
        {
            name = CultureInfo.GetCultureInfo(task.TargetLanguage).NativeName;
        }
        catch (CultureNotFoundException)
        {
            name = task.TargetLanguage;
        }

        return (double)TokenEstimate.Of(string.Concat(Enumerable.Repeat(name, 100))) / (100 * name.Length);
    }
}
