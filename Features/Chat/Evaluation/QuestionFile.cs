using System.Text;
using System.Text.Json;

namespace ChatBackend.Features.Chat.Evaluation;

/// <summary>
/// A file of questions, in UTF-8. Each line is a question, a tab, and the page or heading that answers it; after further tabs, other places
/// that answer it as well. A dash instead of a place marks a question that the book must not answer. Empty lines and lines that begin with
/// <c>#</c> are comments.
/// </summary>
internal static class QuestionFile
{
    private const string Refused = "-";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerOptions.Web)
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <exception cref="EvaluationException">A line is not as described; the message names it.</exception>
    public static async Task<(QuestionSet Answerable, QuestionSet Refused)> ReadAsync(string file, CancellationToken cancellationToken)
    {
        var questions = new List<AskedQuestion>();
        var seen = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        await foreach (var (number, line) in LinesAsync(file, cancellationToken))
        {
            if (string.IsNullOrWhiteSpace(line) || line[0] == '#')
                continue;
            var fields = line.Split('\t', StringSplitOptions.TrimEntries);
            var places = fields[1..];
            var fault = places.Length == 0 ? "there is no tab after the question"
                : fields[0].Length == 0 ? "there is no question before the tab"
                : places.Contains("") ? "there is no place after a tab"
                : places.Length > 1 && places.Contains(Refused) ? "a question to refuse (-) has no place that answers it"
                : !seen.TryAdd(fields[0], number) ? $"the question is on line {seen[fields[0]]} already"
                : null;
            if (fault is not null)
                throw new EvaluationException($"{file}, line {number}: {fault}.");
            questions.Add(new($"line {number}", fields[0], places is [Refused] ? [] : [.. places.Select(Place.Parse)]));
        }

        return questions.Count > 0
            ? (new("answerable", true, [.. questions.Where(q => q.Places.Count > 0)]), new("to refuse", false, [.. questions.Where(q => q.Places.Count == 0)]))
            : throw new EvaluationException($"{file} has no questions.");
    }

    /// <summary>Questions to refuse: JSON Lines with <c>text</c> if the file is named so, else the text before the first tab of each line.</summary>
    /// <exception cref="EvaluationException">A line cannot be read; the message names it.</exception>
    public static async Task<QuestionSet> ReadUnanswerableAsync(string file, CancellationToken cancellationToken)
    {
        var questions = new List<AskedQuestion>();
        await foreach (var (number, line) in LinesAsync(file, cancellationToken))
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            var text = file.EndsWith(".jsonl", StringComparison.Ordinal) ? Read<UnanswerableRecord>(file, number, line).Text : line.Split('\t')[0].Trim();
            questions.Add(new($"line {number}", text, []));
        }

        if (questions.Count == 0)
            throw new EvaluationException($"{file} has no questions.");

        var folder = Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(file)));
        return new($"to refuse: {folder}/{Path.GetFileName(file)}", false, questions);
    }

    public static T Read<T>(string file, int number, string line)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(line, Json) ?? throw new EvaluationException($"{file}, line {number}: it is null.");
        }
        catch (JsonException e)
        {
            throw new EvaluationException($"{file}, line {number}: {e.Message}");
        }
    }

    public static async IAsyncEnumerable<(int Number, string Line)> LinesAsync(
        string file, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var number = 0;
        await foreach (var line in File.ReadLinesAsync(file, Encoding.UTF8, cancellationToken))
            yield return (++number, line);
    }

    private sealed record UnanswerableRecord(string Text);
}
