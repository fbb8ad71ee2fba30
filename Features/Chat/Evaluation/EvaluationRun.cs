using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Chat.Evaluation;

/// <summary>Asks questions as chat does, each in a conversation of its own.</summary>
/// <param name="Depth">How many passages to rank for the measures; null for as many as an answer is written from.</param>
internal sealed record EvaluationRun(IServiceProvider Services, int? Depth)
{
    private const int AtOnce = 4;
    private const int TimedQuestions = 300;

    /// <param name="plain">The same questions without typos, for <see cref="Outcome.IsFlipped"/>.</param>
    public async Task<SetResult> AskAsync(QuestionSet set, SetResult? plain, CancellationToken cancellationToken)
    {
        var outcomes = new Outcome[set.Questions.Count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, outcomes.Length), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (i, token) => outcomes[i] = await AskAsync(set.Questions[i], token));
        return new(set, [.. outcomes.Select((o, i) => Typos.IsTypos(set) && plain is not null ? o with { IsFlipped = o.IsAnswered != plain.Outcomes[i].IsAnswered } : o)]);
    }

    /// <summary>Times a search as chat makes it, one question at a time, in milliseconds.</summary>
    public async Task<double[]> TimeAsync(QuestionSet set, CancellationToken cancellationToken)
    {
        var index = Services.GetRequiredService<IPassageIndex>();
        var time = Services.GetRequiredService<TimeProvider>();
        var step = Math.Max(1, set.Questions.Count / TimedQuestions);
        var taken = new List<double>();
        foreach (var question in set.Questions.Where((_, i) => i % step == 0).Take(TimedQuestions))
        {
            var begun = time.GetTimestamp();
            await index.SearchAsync(new(question.Text, Retrieval.MaxPassages), cancellationToken);
            taken.Add(time.GetElapsedTime(begun).TotalMilliseconds);
        }

        return [.. taken.Order()];
    }

    private async Task<Outcome> AskAsync(AskedQuestion question, CancellationToken cancellationToken)
    {
        var index = new RecordedSearches(Services.GetRequiredService<IPassageIndex>());
        var retrieval = ActivatorUtilities.CreateInstance<Retrieval>(Services, index);
        var writer = ActivatorUtilities.CreateInstance<AnswerWriter>(Services, retrieval);
        try
        {
            var ranked = Depth is { } depth ? await index.Index.SearchAsync(new(question.Text, depth), cancellationToken) : null;
            var answer = await writer.WriteAsync(new(question.Text, null, null), new([], null), new Draft(), isOffline: false, cancellationToken);
            return Outcome(answer, null, ranked);
        }
        catch (FailureException e)
        {
            return Outcome(null, e.Message, null);
        }

        Outcome Outcome(Answer? answer, string? failure, IReadOnlyList<Passage>? ranked) => new(
            question, [.. index.Last.Select(p => FoundPassage.Of(question, p))], [.. Evaluation.Outcome.Relevant(question, ranked ?? index.Last)], answer, failure);
    }

    /// <summary>Keeps what the last search found, whether or not it was good enough for an answer.</summary>
    private sealed class RecordedSearches(IPassageIndex index) : IPassageIndex
    {
        public IPassageIndex Index => index;

        public IReadOnlyList<Passage> Last { get; private set; } = [];

        public async Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken) =>
            Last = await index.SearchAsync(query, cancellationToken);

        public Task<IReadOnlyList<Passage>> GetAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken) => index.GetAsync(ids, cancellationToken);

        public Task<IReadOnlyList<OutlinedDocument>> GetOutlineAsync(CancellationToken cancellationToken) => index.GetOutlineAsync(cancellationToken);

        public Task<IReadOnlyList<Passage>> GetFirstAsync(IReadOnlyCollection<string> paths, int most, CancellationToken cancellationToken) =>
            index.GetFirstAsync(paths, most, cancellationToken);

        public Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken) => index.GetDocumentsAsync(cancellationToken);

        public Task<IReadOnlyList<PassageHeading>> GetHeadingsAsync(CancellationToken cancellationToken) => index.GetHeadingsAsync(cancellationToken);

        public Task MeasureSimilarityAsync(CancellationToken cancellationToken) => index.MeasureSimilarityAsync(cancellationToken);

        public Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken) => index.ReplaceAsync(document, cancellationToken);

        public Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken) => index.RemoveAsync(paths, cancellationToken);
    }

    private sealed class Draft : IAnswerDraft
    {
        private readonly StringBuilder _text = new();

        public string Text => _text.ToString();

        public TokenTally Tally { get; } = new();

        public void SetRetrieved(IReadOnlyList<RetrievedPassage> retrieved)
        {
            // What was found is recorded with its coverage, which this does not have.
        }

        public void Append(string text, IReadOnlyList<Citation> citations) => _text.Append(text);
    }
}
