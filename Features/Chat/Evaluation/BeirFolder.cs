using System.Globalization;
using System.Text.Json.Serialization;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Chat.Evaluation;

/// <param name="Id">BEIR writes it as <c>_id</c>.</param>
internal sealed record BeirRecord([property: JsonPropertyName("_id")] string Id, string Text, string? Title = null);

/// <summary>A question set in BEIR's layout (Thakur et al. 2021): <c>corpus.jsonl</c>, <c>queries.jsonl</c>, <c>qrels.tsv</c>.</summary>
internal sealed record BeirFolder(IReadOnlyList<IndexedDocument> Documents, QuestionSet Questions)
{
    /// <summary>Each text becomes a page of one passage. Queries without a relevant text are left out.</summary>
    /// <exception cref="EvaluationException">A line cannot be read; the message names it.</exception>
    public static async Task<BeirFolder> ReadAsync(string folder, CancellationToken cancellationToken)
    {
        var documents = new List<IndexedDocument>();
        await foreach (var record in RecordsAsync(Path.Combine(folder, "corpus.jsonl"), cancellationToken))
            documents.Add(new(record.Id, record.Title ?? "", $"/{record.Id}", "", [new(0, [], null, record.Text)]));

        var places = new Dictionary<string, List<Place>>(StringComparer.Ordinal);
        var qrels = Path.Combine(folder, "qrels.tsv");
        await foreach (var (number, line) in QuestionFile.LinesAsync(qrels, cancellationToken))
        {
            if (line.Split('\t') is not [var query, var document, var grade] || !int.TryParse(grade, CultureInfo.InvariantCulture, out var relevance))
            {
                // Most files have a header.
                if (number == 1)
                    continue;
                throw new EvaluationException($"{qrels}, line {number}: it is not a query, a document and a number between tabs.");
            }

            if (relevance > 0)
                (places.TryGetValue(query, out var known) ? known : places[query] = []).Add(new(document, document, null, relevance));
        }

        var questions = new List<AskedQuestion>();
        await foreach (var record in RecordsAsync(Path.Combine(folder, "queries.jsonl"), cancellationToken))
            if (places.TryGetValue(record.Id, out var relevant))
                questions.Add(new(record.Id, record.Text, relevant));

        return questions.Count > 0 ? new(documents, new("answerable", true, questions)) : throw new EvaluationException($"{folder} has no query with a relevant text.");
    }

    private static async IAsyncEnumerable<BeirRecord> RecordsAsync(
        string file, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var (number, line) in QuestionFile.LinesAsync(file, cancellationToken))
            if (!string.IsNullOrWhiteSpace(line))
                yield return QuestionFile.Read<BeirRecord>(file, number, line);
    }
}
