using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChatBackend.Features.Chat.Answering;
using Spectre.Console;

namespace ChatBackend.Features.Chat.Evaluation;

/// <param name="Milliseconds">How long a search took, in ascending order.</param>
/// <param name="Depth">How many passages were ranked for the measures of BEIR; null for as many as an answer is written from.</param>
internal sealed record Report(IReadOnlyList<SetResult> Sets, double[] Milliseconds, int? Depth)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        // The output is a file or a terminal, where questions should be readable in every script.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private bool IsDeep => Depth is not null;

    /// <summary>recall@3 of the answerable questions; null without any.</summary>
    public double? Recall => Sets.FirstOrDefault(s => s.Set.IsAnswerable) is { } set ? Mean(set, o => RecallAt(o, 3)) : null;

    /// <summary>The share of all questions to refuse that were refused; null without any.</summary>
    public double? Refusal =>
        Sets.Where(s => !s.Set.IsAnswerable).SelectMany(s => s.Outcomes).ToArray() is { Length: > 0 } asked ? (double)asked.Count(o => !o.IsAnswered) / asked.Length : null;

    public string ToJson() => JsonSerializer.Serialize(
        new
        {
            Model = Sets.SelectMany(s => s.Outcomes).Select(o => o.Answer?.Model).FirstOrDefault(m => m is not null and not Infrastructure.Ai.ModelNames.SmallTalk),
            MillisecondsP50 = Measures.Quantile(Milliseconds, 0.5),
            MillisecondsP95 = Measures.Quantile(Milliseconds, 0.95),
            Sets = Sets.Select(set => new
            {
                set.Set.Name,
                Answerable = set.Set.IsAnswerable,
                Count = set.Outcomes.Count,
                Measures = Rows(set).ToDictionary(r => r.Name, r => r.Value),
                Questions = set.Outcomes.Select(o => new
                {
                    o.Question.Id,
                    Question = o.Question.Text,
                    Expected = o.Question.Places.Select(p => p.Text),
                    o.Rank,
                    Grounding = o.Answer?.Grounding.ToString().ToLowerInvariant(),
                    o.Failure,
                    Coverage = Math.Round(o.Coverage, 4),
                    o.Similarity,
                    o.Found,
                    Cited = o.Answer?.Citations.Select(c => c.Url) ?? [],
                }),
            }),
        },
        Json);

    public void Write(IAnsiConsole console)
    {
        // Without a terminal the width is unknown, and a line that is not broken is easier to search.
        if (!console.Profile.Out.IsTerminal)
            console.Profile.Width = 200;
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumn("");
        foreach (var set in Sets)
            table.AddColumn(Markup.Escape(set.Set.Name), c => c.RightAligned());
        table.AddRow(["questions", .. Sets.Select(s => s.Outcomes.Count.ToString(CultureInfo.InvariantCulture))]);
        var columns = Sets.Select(s => Rows(s).ToDictionary(r => r.Name, r => r.Value)).ToArray();
        foreach (var name in columns.SelectMany(c => c.Keys).Distinct())
            table.AddRow([name, .. columns.Select(c => c.GetValueOrDefault(name) is { } value ? value.ToString("0.000", CultureInfo.InvariantCulture) : "")]);
        console.Write(table);
        if (Measures.Quantile(Milliseconds, 0.5) is { } median)
            console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"A search takes {median:0.0} ms (p50), {Measures.Quantile(Milliseconds, 0.95):0.0} ms (p95)."));

        // Sets of thousands of questions are for --json.
        if (!IsDeep)
            foreach (var set in Sets)
                WriteMisses(console, set);
    }

    private static void WriteMisses(IAnsiConsole console, SetResult set)
    {
        var misses = set.Outcomes.Where(o => set.Set.IsAnswerable ? o.Rank is not <= 3 || !o.IsAnswered : o.IsAnswered).ToArray();
        if (misses.Length == 0)
            return;
        console.WriteLine();
        console.WriteLine(set.Set.IsAnswerable ? $"Not found among the first 3, or not answered ({set.Set.Name}):" : $"Not refused ({set.Set.Name}):");
        foreach (var miss in misses)
        {
            console.WriteLine($"  {miss.Question.Id}: {miss.Question.Text}");
            if (set.Set.IsAnswerable)
                console.WriteLine($"    expected {string.Join(" or ", miss.Question.Places.Select(p => p.Text))}: {(miss.Rank is { } rank ? $"found at {rank}" : "not found")}, {(miss.IsAnswered ? "answered" : "refused")}");
            if (miss.Found.Count > 0)
                console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    found {miss.Found[0].Url} ({miss.Found[0].Heading}); best coverage {miss.Coverage:0.00}{(miss.Similarity is { } near ? $", best similarity {near:0.00}" : "")}"));
        }
    }

    private IEnumerable<(string Name, double? Value)> Rows(SetResult set)
    {
        if (set.Set.IsAnswerable)
        {
            foreach (var k in ((int[])[1, 3, 6, 10, Measures.Deepest]).Where(k => k <= (Depth ?? 6)))
                yield return ($"recall@{k}", Mean(set, o => RecallAt(o, k)));
            yield return (IsDeep ? "MRR@10" : "MRR", Mean(set, o => Measures.ReciprocalRank(o, 10)));
            if (IsDeep)
            {
                yield return ("nDCG@10", Mean(set, o => Measures.Ndcg(o, 10)));
                yield return ("MAP", Mean(set, Measures.AveragePrecision));
            }
        }

        yield return ("grounded", set.Share(Grounding.Grounded));
        yield return ("partial", set.Share(Grounding.Partial));
        yield return ("refused", set.Share(Grounding.None));
        if (set.Set.IsAnswerable)
            yield return ("right citations", set.RightCitations);
        if (Typos.IsTypos(set.Set))
            yield return ("verdict changed", set.Share(o => o.IsFlipped));
    }

    private double RecallAt(Outcome outcome, int k) => IsDeep ? Measures.Recall(outcome, k) : Measures.Success(outcome, k);

    private static double Mean(SetResult set, Func<Outcome, double> measure) => set.Outcomes.Average(measure);
}
