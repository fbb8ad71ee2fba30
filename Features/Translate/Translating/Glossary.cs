using System.Text.RegularExpressions;
using ChatBackend.Features.Translate.Documents;

namespace ChatBackend.Features.Translate.Translating;

/// <param name="Term">As it is in the book.</param>
/// <param name="Translation">Null if the term stays as it is.</param>
internal sealed record GlossaryTerm(string Term, string? Translation = null);

/// <summary>Terms that stay as they are, or have a fixed translation into one language.</summary>
/// <remarks>A term counts where it is a whole word: one that stays in its own spelling, one with a translation also in capitals.</remarks>
internal sealed class Glossary
{
    private static readonly GlossaryTerm[] Names =
    [
        .. from name in new[]
        {
            "ROS 2", "ROS", "URDF", "Xacro", "SDF", "LiDAR", "IMU", "SLAM", "Nav2", "MoveIt", "RViz", "Gazebo", "Isaac Sim", "Isaac Lab", "NVIDIA", "Jetson", "CUDA",
            "GPU", "CPU", "API", "Python", "C++", "Linux", "Ubuntu", "Docker", "GitHub", "OpenCV", "PyTorch",
        }
        select new GlossaryTerm(name),
    ];

    private readonly Dictionary<string, GlossaryTerm> _terms;
    private readonly Regex? _pattern;

    private Glossary(IEnumerable<GlossaryTerm> terms)
    {
        _terms = new(StringComparer.OrdinalIgnoreCase);
        foreach (var term in terms.Where(t => !string.IsNullOrWhiteSpace(t.Term)))
            _terms[term.Term.Trim()] = term with { Term = term.Term.Trim(), Translation = string.IsNullOrWhiteSpace(term.Translation) ? null : term.Translation.Trim() };

        // Of "ROS 2" and "ROS", the longer one is found.
        var alternatives = _terms.Values.OrderByDescending(t => t.Term.Length)
            .Select(t => $"{(t.Translation is null ? "" : "(?i)")}{Regex.Escape(t.Term).Replace("\\ ", "[ \u00A0]+", StringComparison.Ordinal)}");
        _pattern = _terms.Count == 0 ? null : new(
            $@"(?<![\p{{L}}\p{{N}}_])({string.Join('|', alternatives.Select(a => $"(?:{a})"))})(?![\p{{L}}\p{{N}}_])",
            RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, TimeSpan.FromMilliseconds(Segment.LongestMatch));
    }

    /// <summary>Names of robotics that stay as they are in every language.</summary>
    public static Glossary BuiltIn { get; } = new(Names);

    /// <summary>
    /// Reads a glossary's file: a term a line that stays as it is, or <c>term = translation</c>; <c>[ur]</c> begins the lines for Urdu alone,
    /// <c>[*]</c> those for every language; <c>#</c> begins a comment.
    /// </summary>
    public static IReadOnlyList<GlossaryTerm> Parse(string file, string targetLanguage)
    {
        var terms = new List<GlossaryTerm>();
        var applies = true;
        foreach (var line in file.TrimStart('\uFEFF').Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && !l.StartsWith('#')))
        {
            if (line.StartsWith('[') && line.EndsWith(']'))
                applies = line[1..^1].Trim() is var language && (language == "*" || IsSame(language, targetLanguage));
            else if (applies)
                terms.Add(line.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals ? new(line[..equals].Trim(), line[(equals + 1)..].Trim()) : new(line));
        }

        return terms;
    }

    /// <summary>This glossary with more terms, which replace its own of the same spelling.</summary>
    public Glossary With(IEnumerable<GlossaryTerm> terms) => new([.. _terms.Values, .. terms]);

    /// <summary>The terms in a text, in the order of their spelling. What a translation of the text depends on: part of its key in a cache.</summary>
    public IReadOnlyList<GlossaryTerm> In(string text) => _pattern is null ? [] :
    [
        .. _pattern.Matches(text).Select(match => _terms.GetValueOrDefault(match.Value.Replace('\u00A0', ' '))).OfType<GlossaryTerm>()
            .Distinct().OrderBy(term => term.Term, StringComparer.Ordinal),
    ];

    /// <summary>Which term is missing in a translation, as a sentence for the model; null for none.</summary>
    public string? Problem(string text, string translation)
    {
        translation = translation.Replace('\u00A0', ' ');

        return In(text).FirstOrDefault(term => !translation.Contains(term.Translation ?? term.Term, StringComparison.OrdinalIgnoreCase)) switch
        {
            { Translation: { } fixedTranslation } term => $"\"{term.Term}\" must be translated as \"{fixedTranslation}\".",
            { } term => $"\"{term.Term}\" must stay as it is.",
            null => null,
        };
    }

    private static bool IsSame(string language, string target) =>
        target.Equals(language, StringComparison.OrdinalIgnoreCase) || target.StartsWith($"{language}-", StringComparison.OrdinalIgnoreCase);
}
