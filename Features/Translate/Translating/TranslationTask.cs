using ChatBackend.Features.Translate.Documents;
using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Features.Translate.Translating;

/// <summary>What is to be translated into which language, and how.</summary>
/// <param name="SourceLanguage">A BCP 47 tag; null if the model is to tell.</param>
/// <param name="TargetLanguage">A BCP 47 tag.</param>
internal sealed record TranslationTask(string? SourceLanguage, string TargetLanguage)
{
    public Glossary Glossary { get; init; } = Glossary.BuiltIn;

    /// <summary>Translations that are there already, by <see cref="Segment.Index"/>. They are checked as the model's are.</summary>
    public IReadOnlyDictionary<int, string> Known { get; init; } = new Dictionary<int, string>();

    /// <summary>Segments of different groups are never in one call, so that one cannot tell the model how to translate the other.</summary>
    public Func<Segment, string> Group { get; init; } = _ => "";

    /// <summary>Called with the checked translations of each call as soon as they are there, out of order and by several calls at once: what is
    /// stored here is kept when a later call fails. Known and untranslated segments are not among them.</summary>
    public Func<IReadOnlyList<SegmentTranslation>, Task>? Translated { get; init; }

    /// <summary>The segments to translate; null for all.</summary>
    public IReadOnlySet<int>? Only { get; init; }

    /// <summary>If it is cancelled, no more calls begin. Those in flight end and count, and the segments that are left are not translated.</summary>
    public CancellationToken NoMoreCalls { get; init; }

    /// <summary>True if a failure of the model is the outcome of the segments of its call (<see cref="SegmentTranslation.Failure"/>), and false if it is thrown.</summary>
    public bool ToleratesFailures { get; init; }

    /// <summary>Where the tokens are counted for a budget, those of failed calls too.</summary>
    public TokenTally? Tally { get; init; }

    public TranslationUsage Usage { get; } = new();
}

/// <summary>The tokens that the calls of a task have used so far. A server that does not count them adds nothing.</summary>
internal sealed class TranslationUsage
{
    private int _calls;
    private int _inputTokens;
    private int _outputTokens;

    public int Calls => _calls;

    public int InputTokens => _inputTokens;

    public int OutputTokens => _outputTokens;

    internal void Add(ModelUsage? usage)
    {
        Interlocked.Increment(ref _calls);
        Interlocked.Add(ref _inputTokens, usage?.InputTokens ?? 0);
        Interlocked.Add(ref _outputTokens, usage?.OutputTokens ?? 0);
    }
}

/// <summary>The outcome for one segment.</summary>
/// <param name="Text">The translation with its placeholders, as <see cref="TranslatableDocument.Translate"/> takes it; null if the segment stays in its own language.</param>
internal sealed record SegmentTranslation(Segment Segment, string? Text)
{
    /// <summary>True if the translation was in <see cref="TranslationTask.Known"/>.</summary>
    public bool IsKnown { get; init; }

    /// <summary>Why the segment stays in its own language.</summary>
    public string? Problem { get; init; }

    /// <summary>Set if the segment stays in its own language because the model failed, so that it may be translated another time.</summary>
    public ModelException? Failure { get; init; }
}

/// <param name="Line">The line in the original, from 1.</param>
internal sealed record TranslationWarning(int Line, string Detail);

/// <summary>A translated document, which has the structure of its original.</summary>
/// <param name="Translations">Those that are in <paramref name="Text"/>, by <see cref="Segment.Index"/>.</param>
/// <param name="Warnings">The segments that stay in their own language, in order.</param>
internal sealed record TranslatedDocument(string Text, IReadOnlyDictionary<int, string> Translations, IReadOnlyList<TranslationWarning> Warnings)
{
    /// <summary>Puts the translations in their places. If they do not fit each other, the fewest are left out that make the rest fit.</summary>
    public static TranslatedDocument Of(TranslatableDocument document, IReadOnlyCollection<SegmentTranslation> translations, HeadingIds headingIds)
    {
        var problems = translations.Where(t => t.Text is null).ToDictionary(t => t.Segment.Index, t => t.Problem ?? "It was not translated.");
        var sound = document.Sound(translations.Where(t => t.Text is not null).ToDictionary(t => t.Segment.Index, t => t.Text!), problems);
        var warnings = from problem in problems
                       orderby problem.Key
                       select new TranslationWarning(document.Segments[problem.Key].FirstLine, $"This passage is not translated. {problem.Value}");

        return new(document.Translate(sound, headingIds), sound, [.. warnings]);
    }
}
