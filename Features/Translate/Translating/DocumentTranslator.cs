using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Infrastructure.Ai;
using Microsoft.Extensions.Options;

namespace ChatBackend.Features.Translate.Translating;

/// <summary>
/// Has a model translate a document's segments, in several calls at once. What comes back is checked; a segment that fails is asked for again with
/// the reason, then alone, and then stays in its own language.
/// </summary>
/// <example>
/// <code>
/// var done = new List&lt;SegmentTranslation&gt;();
/// await foreach (var segment in translator.TranslateAsync(document, task, cancellationToken))
///     done.Add(segment);                                       // in the document's order; also what a stream sends and a cache stores
/// var page = TranslatedDocument.Of(document, done, HeadingIds.Comment);
/// </code>
/// </example>
internal sealed partial class DocumentTranslator(IOptions<TranslationLimits> options, IChatModel? model = null) : IDisposable
{
    private readonly TranslationLimits _limits = options.Value;
    private readonly SemaphoreSlim _process = new(options.Value.CallsPerProcess);

    // Learnt from the first call: a server that does not know JSON schemas refuses every request with one.
    private volatile bool _isStructured = true;

    /// <summary>False if no model is configured.</summary>
    public bool IsAvailable => model is not null;

    /// <summary>The model's name, part of a cached translation's key; null if no model is configured.</summary>
    public string? Model => model?.Name;

    /// <summary>Translates a document. The outcomes come in the order of its segments, each as soon as those before it are there.</summary>
    /// <remarks>If the caller stops reading or cancels, the calls in flight are cancelled.</remarks>
    /// <exception cref="ModelException">The model failed. What came before is translated.</exception>
    public async IAsyncEnumerable<SegmentTranslation> TranslateAsync(
        TranslatableDocument document, TranslationTask task, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var calls = new SemaphoreSlim(_limits.CallsPerDocument);
        var known = document.Sound(task.Known);
        var wanted = document.Segments.Where(s => task.Only?.Contains(s.Index) is not false).ToList();
        var open = wanted.Where(s => !known.ContainsKey(s.Index)).ToList();
        // Cells and headings repeat themselves: the same text is asked for once.
        var same = open.GroupBy(s => (task.Group(s), s.Text)).ToDictionary(g => g.First().Index, g => g.ToList());
        var outcomes = open.ToDictionary(s => s.Index, _ => new TaskCompletionSource<SegmentTranslation>(TaskCreationOptions.RunContinuationsAsynchronously));
        var run = new Run(this, document, task, same, outcomes, calls, abort.Token);
        var batches = Batches(open.Where(s => same.ContainsKey(s.Index)), task).Select(run.TranslateAsync).ToArray();

        try
        {
            foreach (var segment in wanted)
            {
                yield return known.TryGetValue(segment.Index, out var text)
                    ? new(segment, text) { IsKnown = true }
                    : await outcomes[segment.Index].Task.WaitAsync(cancellationToken);
            }
        }
        finally
        {
            await abort.CancelAsync();
            await Task.WhenAll(batches);
        }
    }

    public void Dispose() => _process.Dispose();

    /// <summary>Divides segments into calls: a short one first, then so many of one length that all of them are in flight at once.</summary>
    internal IReadOnlyList<IReadOnlyList<Segment>> Batches(IEnumerable<Segment> segments, TranslationTask task)
    {
        var weighed = segments.Select(s => (Segment: s, Tokens: TokenEstimate.Of(s.Text))).ToList();
        var most = Math.Clamp(weighed.Sum(s => s.Tokens) / Math.Max(1, _limits.CallsPerDocument * 3 / 4), _limits.LeastCallTokens, Math.Max(_limits.LeastCallTokens, _limits.MostCallTokens));
        var batches = new List<List<Segment>>();
        var current = new Dictionary<string, (List<Segment> Segments, int Tokens)>();
        foreach (var (segment, tokens) in weighed)
        {
            var group = task.Group(segment);
            var limit = batches.Count <= 1 ? _limits.FirstCallTokens : most;
            if (!current.TryGetValue(group, out var batch) || batch.Tokens + tokens > limit)
            {
                batch = ([], 0);
                batches.Add(batch.Segments);
            }

            batch.Segments.Add(segment);
            current[group] = (batch.Segments, batch.Tokens + tokens);
        }

        return batches;
    }

    private async Task<Dictionary<int, string>> AskAsync(TranslationTask task, IReadOnlyList<SegmentToTranslate> segments, CancellationToken cancellationToken)
    {
        if (model is null)
            throw new ModelException(ModelFailure.Unavailable, "There is no model to translate with: set OPENAI_API_KEY, or OPENAI_BASE_URL for another server.");

        await WaitAsync(_process, task, cancellationToken);
        try
        {
            // The place may be that of a call that was cancelled with this one.
            cancellationToken.ThrowIfCancellationRequested();
            var isStructured = _isStructured;
            try
            {
                return await AskAsync(isStructured);
            }
            catch (ModelException e) when (isStructured && e is { Failure: ModelFailure.Failed, IsTransient: false, IsSettings: false, IsEmpty: false })
            {
                var answer = await AskAsync(isStructured: false);
                _isStructured = false;
                return answer;
            }
        }
        finally
        {
            _process.Release();
        }

        async Task<Dictionary<int, string>> AskAsync(bool isStructured)
        {
            var answer = await model.CompleteAsync(TranslationPrompt.For(task, segments, isStructured) with { Tally = task.Tally }, cancellationToken);
            task.Usage.Add(answer.Usage);

            return TranslationPrompt.Read(answer.Text);
        }
    }

    /// <summary>Waits for a place until no more calls are wanted.</summary>
    private static async Task WaitAsync(SemaphoreSlim places, TranslationTask task, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, task.NoMoreCalls);
        await places.WaitAsync(either.Token);
    }

    /// <summary>The translation of one document.</summary>
    private sealed class Run(
        DocumentTranslator translator, TranslatableDocument document, TranslationTask task, Dictionary<int, List<Segment>> same,
        Dictionary<int, TaskCompletionSource<SegmentTranslation>> outcomes, SemaphoreSlim calls, CancellationToken cancellationToken)
    {
        /// <summary>Sets the outcome of each segment of a batch. A failure of the model is the outcome of those that are left.</summary>
        public async Task TranslateAsync(IReadOnlyList<Segment> batch)
        {
            try
            {
                var refused = await AskAsync([.. batch.Select(s => new SegmentToTranslate(s))]);
                var again = await AskAsync(refused);
                if (refused.Count > 1)
                    again = [.. (await Task.WhenAll(again.Select(s => AskAsync([s])))).SelectMany(s => s)];
                foreach (var segment in again)
                {
                    foreach (var place in same[segment.Segment.Index])
                        End(place, null, segment.Problem);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                Fail((source, _) => source.TrySetCanceled(cancellationToken));
            }
            catch (OperationCanceledException) when (task.NoMoreCalls.IsCancellationRequested)
            {
                Fail((source, segment) => source.TrySetResult(new(segment, null) { Problem = "It was no longer wanted." }));
            }
            catch (ModelException failure) when (task.ToleratesFailures)
            {
                Fail((source, segment) => source.TrySetResult(new(segment, null) { Problem = failure.Message, Failure = failure }));
            }
            catch (Exception exception)
            {
                // Thrown where the outcomes are read.
                Fail((source, _) => source.TrySetException(exception));
            }

            void Fail(Action<TaskCompletionSource<SegmentTranslation>, Segment> fail)
            {
                foreach (var segment in batch.SelectMany(s => same[s.Index]))
                    fail(outcomes[segment.Index], segment);
            }
        }

        /// <returns>The segments whose translation was refused, with the reason.</returns>
        private async Task<IReadOnlyList<SegmentToTranslate>> AskAsync(IReadOnlyList<SegmentToTranslate> segments)
        {
            if (segments.Count == 0)
                return [];

            await WaitAsync(calls, task, cancellationToken);
            Dictionary<int, string> answers;
            try
            {
                answers = await translator.AskAsync(task, segments, cancellationToken);
            }
            catch (ModelException e) when (e.Failure is ModelFailure.Refused or ModelFailure.ContextTooLong || e.IsEmpty)
            {
                return [.. segments.Select(s => s with { Problem = e.Message })];
            }
            finally
            {
                calls.Release();
            }

            return await CheckAsync(segments, answers);
        }

        private async Task<IReadOnlyList<SegmentToTranslate>> CheckAsync(IReadOnlyList<SegmentToTranslate> segments, Dictionary<int, string> answers)
        {
            var problems = new Dictionary<int, string>();
            var candidates = new Dictionary<int, string>();
            for (var index = 0; index < segments.Count; index++)
            {
                var segment = segments[index].Segment;
                var text = answers.GetValueOrDefault(index)?.Trim() ?? "";
                if (Problem(segment, text, answers, segments) is { } problem)
                    problems[segment.Index] = problem;
                else
                    candidates[segment.Index] = text;
            }

            // With the other places of the same texts: one look at the page for all of them.
            var everywhere = candidates.SelectMany(c => same[c.Key].Select(place => (place.Index, Text: c.Value))).ToDictionary(c => c.Index, c => c.Text);
            var sound = document.Sound(everywhere, problems);
            var translated = candidates.Keys.Where(sound.ContainsKey).Select(index => document.Segments[index]).ToArray();
            if (task.Translated is { } store && translated.Length > 0)
                await store([.. translated.Select(segment => new SegmentTranslation(segment, sound[segment.Index]))]);
            foreach (var place in translated.SelectMany(segment => same[segment.Index]))
                End(place, sound.GetValueOrDefault(place.Index), problems.GetValueOrDefault(place.Index));

            return [.. segments.Where(s => !sound.ContainsKey(s.Segment.Index)).Select(s => s with { Problem = problems[s.Segment.Index] })];
        }

        private string? Problem(Segment segment, string text, Dictionary<int, string> answers, IReadOnlyList<SegmentToTranslate> segments)
        {
            if (text.Length == 0)
                return "There is no translation with the id of this segment, or there are two.";
            if (text.Length > LongestRepeated && answers.Count(a => a.Key >= 0 && a.Key < segments.Count && a.Value.Trim() == text) > 1)
                return "Another segment has the same translation.";

            if (Preamble().IsMatch(text) && !Preamble().IsMatch(segment.Text))
                return "The translation begins with words about the translation.";
            if (text == segment.Text && IsSentence(text, task.TargetLanguage))
                return "The text came back as it was, without a translation.";

            return task.Glossary.Problem(segment.Text, text);
        }

        private void End(Segment place, string? text, string? problem) =>
            outcomes[place.Index].TrySetResult(new(place, text) { Problem = text is null ? problem : null });
    }

    /// <summary>False for what may stay as it is: names, titles, and text that is in the target language already.</summary>
    private static bool IsSentence(string text, string targetLanguage)
    {
        var words = SegmentText.WithoutPlaceholders(text);

        return words.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Count(word => char.IsLetter(word[0]) && !char.IsUpper(word[0])) >= FewestWords
            && (LanguageDetector.ByWords(words) is not { } language || !LanguageTag.AreSame(language, targetLanguage));
    }

    [GeneratedRegex(@"^\W*((sure|certainly|of course)\W+)?(here('s| is| are)|this is|the) [^.:]{0,40}\btranslat(ion|ed)\b[^.:]{0,40}:|^translation:", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: Segment.LongestMatch)]
    private static partial Regex Preamble();

    /// <summary>Short words may have the same translation: "Yes." and "Yes!".</summary>
    private const int LongestRepeated = 30;

    /// <summary>Fewer words without a capital may be a name: "University of the Arts".</summary>
    private const int FewestWords = 5;
}
