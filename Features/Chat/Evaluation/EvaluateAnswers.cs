using System.Globalization;
using ChatBackend.Infrastructure.Search;
using Npgsql;
using Spectre.Console;

namespace ChatBackend.Features.Chat.Evaluation;

/// <summary><c>ChatBackend eval &lt;questions.tsv&gt;</c>: asks questions whose answers are known, and measures what chat finds and answers.</summary>
internal static class EvaluateAnswers
{
    private const string Usage =
        """
        Usage: ChatBackend eval <questions.tsv> [--min-recall <0..1>] [--min-refusal <0..1>] [options]
               ChatBackend eval --beir <folder> [options]

        A line of questions.tsv is a question, a tab, and the page or heading that answers it, or - for a question to refuse.
          --min-recall <0..1>     exit with 1 if recall@3 is less
          --min-refusal <0..1>    exit with 1 if a smaller share of the questions to refuse is refused
          --beir <folder>         corpus.jsonl, queries.jsonl and qrels.tsv, in an index of its own that is dropped at the end
          --unanswerable <file>   more questions to refuse, one per line (text, or JSON with "text"); may be repeated
          --typos                 ask each answerable question again with one mistyped letter
          --at-most <n>           ask n questions of each set at most, spread over it
          --json                  print JSON, with the numbers of each question
        """;

    /// <returns>The exit code: 1 if a minimum is missed, a question fails, or the questions cannot be read or asked.</returns>
    public static async Task<int> RunAsync(IServiceProvider services, IReadOnlyList<string> args, CancellationToken cancellationToken)
    {
        // Spectre.Console writes escape codes only to a terminal.
        var output = AnsiConsole.Console;
        try
        {
            return await RunAsync(services, Options.Parse(args), output, Console.Error, cancellationToken);
        }
        catch (Exception e) when (Describe(e) is { } message && !cancellationToken.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync(message);
            return 1;
        }
    }

    private static async Task<int> RunAsync(
        IServiceProvider services, Options options, IAnsiConsole output, TextWriter log, CancellationToken cancellationToken)
    {
        await using var scratch = options.Beir is null ? null : await ScratchIndex.CreateAsync(services, cancellationToken);
        var asking = scratch?.Services ?? services;
        var sets = new List<QuestionSet>();
        if (options.Beir is { } folder)
        {
            var beir = await BeirFolder.ReadAsync(folder, cancellationToken);
            await log.WriteLineAsync($"Indexing {beir.Documents.Count} documents...");
            await scratch!.FillAsync(beir.Documents, cancellationToken);
            sets.Add(beir.Questions);
        }
        else
        {
            var (answerable, refused) = await QuestionFile.ReadAsync(options.Questions!, cancellationToken);
            await RequirePlacesAsync(asking.GetRequiredService<IPassageIndex>(), options.Questions!, answerable, cancellationToken);
            sets.AddRange(((QuestionSet[])[answerable, refused]).Where(s => s.Questions.Count > 0));
        }

        foreach (var file in options.Unanswerable)
            sets.Add(await QuestionFile.ReadUnanswerableAsync(file, cancellationToken));
        sets = [.. sets.Select(s => s.Spread(options.AtMost))];
        // A minimum that nothing measures would be met.
        if ((options.Typos || options.MinRecall is not null) && !sets[0].IsAnswerable)
            throw new EvaluationException("There is no answerable question, which --typos and --min-recall need.");
        if (options.MinRefusal is not null && sets.All(s => s.IsAnswerable))
            throw new EvaluationException("There is no question to refuse, which --min-refusal needs.");
        if (options.Typos)
            sets.Insert(1, Typos.In(sets[0]));

        var run = new EvaluationRun(asking, Depth: options.Beir is null ? null : Measures.DepthFor(sets[0]));
        var results = new List<SetResult>();
        foreach (var set in sets)
        {
            await log.WriteLineAsync($"Asking the questions ({set.Name}: {set.Questions.Count})...");
            results.Add(await run.AskAsync(set, results.FirstOrDefault(), cancellationToken));
        }

        var report = new Report(results, await run.TimeAsync(sets[0], cancellationToken), run.Depth);
        if (options.Json)
            await Console.Out.WriteLineAsync(report.ToJson());
        else
            report.Write(output);

        var faults = Faults(report, options).ToArray();
        foreach (var fault in faults)
            await log.WriteLineAsync(fault);
        return faults.Length == 0 ? 0 : 1;
    }

    private static IEnumerable<string> Faults(Report report, Options options)
    {
        if (report.Recall is { } recall && recall < options.MinRecall)
            yield return string.Create(CultureInfo.InvariantCulture, $"recall@3 is {recall:0.000}, less than {options.MinRecall}.");
        if (report.Refusal is { } refusal && refusal < options.MinRefusal)
            yield return string.Create(CultureInfo.InvariantCulture, $"The share of refused questions is {refusal:0.000}, less than {options.MinRefusal}.");
        foreach (var failed in report.Sets.SelectMany(s => s.Outcomes).Where(o => o.Failure is not null))
            yield return $"{failed.Question.Id}: {failed.Failure}";
    }

    /// <summary>A heading that was renamed would otherwise count as one that is not found.</summary>
    private static async Task RequirePlacesAsync(IPassageIndex index, string file, QuestionSet answerable, CancellationToken cancellationToken)
    {
        var headings = await HeadingsAsync(index, cancellationToken);
        if (headings.Count == 0)
            throw new EvaluationException("The index is empty. Ingest the book first: ChatBackend ingest <folder>");
        var missing =
            from question in answerable.Questions
            from place in question.Places
            where !headings.Any(h => place.Holds(h.Path, h.Url))
            select $"{file}, {question.Id}: the book has no page or heading {place.Text}.";
        if (string.Join('\n', missing) is { Length: > 0 } faults)
            throw new EvaluationException(faults);
    }

    private static async Task<IReadOnlyList<PassageHeading>> HeadingsAsync(IPassageIndex index, CancellationToken cancellationToken)
    {
        try
        {
            return await index.GetHeadingsAsync(cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            // No service has run on this database yet.
            return [];
        }
    }

    private static string? Describe(Exception exception) => exception switch
    {
        NpgsqlException => $"The database cannot be used: {exception.Message}",
        EvaluationException or SearchException or IOException or UnauthorizedAccessException => exception.Message,
        _ => null,
    };

    private sealed record Options
    {
        public string? Questions { get; private set; }

        public string? Beir { get; private set; }

        public List<string> Unanswerable { get; } = [];

        public bool Typos { get; private set; }

        public bool Json { get; private set; }

        public int AtMost { get; private set; } = int.MaxValue;

        public double? MinRecall { get; private set; }

        public double? MinRefusal { get; private set; }

        /// <exception cref="EvaluationException">The arguments are not as in <see cref="Usage"/>.</exception>
        public static Options Parse(IReadOnlyList<string> args)
        {
            var options = new Options();
            var rest = new Queue<string>(args);
            while (rest.TryDequeue(out var arg))
            {
                switch (arg)
                {
                    case "--json":
                        options.Json = true;
                        break;
                    case "--typos":
                        options.Typos = true;
                        break;
                    case "--beir" when rest.TryDequeue(out var folder):
                        options.Beir = folder;
                        break;
                    case "--unanswerable" when rest.TryDequeue(out var file):
                        options.Unanswerable.Add(file);
                        break;
                    case "--at-most" when rest.TryDequeue(out var text) && int.TryParse(text, CultureInfo.InvariantCulture, out var most) && most > 0:
                        options.AtMost = most;
                        break;
                    case "--min-recall" when Share(rest) is { } share:
                        options.MinRecall = share;
                        break;
                    case "--min-refusal" when Share(rest) is { } share:
                        options.MinRefusal = share;
                        break;
                    case not ['-', ..] when options.Questions is null:
                        options.Questions = arg;
                        break;
                    case "--help" or "-h":
                        throw new EvaluationException(Usage);
                    default:
                        throw new EvaluationException($"{(arg is ['-', ..] ? $"{arg} is not an option, or its value is missing or wrong." : $"{arg} is one file too many.")}\n{Usage}");
                }
            }

            return options.Questions is null != options.Beir is null ? options : throw new EvaluationException(Usage);
        }

        private static double? Share(Queue<string> rest) =>
            rest.TryDequeue(out var text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var share) && share is >= 0 and <= 1
                ? share
                : null;
    }
}

/// <summary>Why an evaluation cannot run. The message is for the person who started it.</summary>
internal sealed class EvaluationException(string message) : Exception(message);
