using ChatBackend.Features.Translate.Caching;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Limits;

namespace ChatBackend.Features.Translate;

/// <summary>A text that is to be translated, what is known of it already, and who asks.</summary>
/// <param name="SourceLanguage">Given, or told by the words; else null.</param>
/// <param name="Account">Who pays for the tokens.</param>
/// <param name="Scope">Where the translations of text are kept that is not the book's.</param>
internal sealed record PageToTranslate(
    TranslatableDocument Document, string? SourceLanguage, string TargetLanguage, Glossary Glossary, bool HasOwnTerms, HeadingIds HeadingIds, TokenAccount Account, string Scope);

/// <summary>Prepares the translation of a text for a caller: finds what is stored, and who may share what is not.</summary>
internal sealed class PageTranslations(CachedTranslator translator, TranslationCache cache, LanguageDetector detector, BookText book, TokenBudget budget)
{
    /// <summary>Null if something is to be translated and the caller's or the service's tokens are used up.</summary>
    /// <exception cref="ModelException">The model was asked for the language and failed.</exception>
    public async Task<PageTranslation?> PrepareAsync(PageToTranslate page, CancellationToken cancellationToken)
    {
        var source = page.SourceLanguage;
        if (source is null)
        {
            source = await DetectAsync(page, cancellationToken);
            if (source is null)
                return null;
            if (LanguageTag.AreSame(source, page.TargetLanguage))
                return Unchanged(page with { SourceLanguage = source });
        }

        var document = page.Document;
        var task = new TranslationTask(source, page.TargetLanguage) { Glossary = page.Glossary, Tally = new() };
        var found = await translator.FindAsync(document, task, [TranslationCache.Book, page.Scope], cancellationToken);
        IReadOnlySet<int> shared = new HashSet<int>();
        if (found.Count < document.Segments.Count)
        {
            if (await budget.IsSpentAsync(page.Account, cancellationToken))
                return null;
            // Terms of the caller's own are in the prompt for all segments of a call, so nothing of it may be shared.
            if (!page.HasOwnTerms)
                shared = await book.FindAsync(document, cancellationToken);
        }

        return new(translator, budget, page, task with
        {
            Known = found.ToDictionary(f => f.Key, f => f.Value.Text),
            Group = segment => found.TryGetValue(segment.Index, out var stored) ? stored.Scope : shared.Contains(segment.Index) ? TranslationCache.Book : page.Scope,
        });
    }

    /// <summary>For a text that is in the target language already.</summary>
    public PageTranslation Unchanged(PageToTranslate page) => new(translator, budget, page, new(page.SourceLanguage, page.TargetLanguage)) { IsSame = true };

    /// <summary>The model's answer, which is stored as a translation is; null if the tokens are used up.</summary>
    private async Task<string?> DetectAsync(PageToTranslate page, CancellationToken cancellationToken)
    {
        var sample = LanguageDetector.Sample(page.Document);
        if (sample.Length == 0)
            return LanguageTag.Unknown;

        var slot = new CacheSlot(page.Scope, TranslationCache.KeyOf(["language", sample, translator.Model]));
        if ((await cache.FindAsync([slot], cancellationToken)).TryGetValue(slot, out var known))
            return known;
        if (await budget.IsSpentAsync(page.Account, cancellationToken))
            return null;

        var tally = new TokenTally();
        string detected;
        try
        {
            detected = await detector.AskAsync(sample, tally, cancellationToken);
        }
        finally
        {
            await budget.CountAsync(page.Account, tally.Total);
        }

        await cache.ClaimAsync([slot], Guid.NewGuid(), TimeSpan.Zero, CancellationToken.None);
        await cache.StoreAsync(new Dictionary<CacheSlot, string> { [slot] = detected }, CancellationToken.None);

        return detected;
    }
}
