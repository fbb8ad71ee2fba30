using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Infrastructure.Docusaurus;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace ChatBackend.Features.Translate.Documents;

/// <param name="Start">Where the value begins in the page, with its quotes.</param>
internal sealed record FrontMatterValue(string Key, string Text, int Start, int End);

/// <summary>The values of a page's front matter that readers see: <c>title</c>, <c>description</c> and <c>sidebar_label</c>.</summary>
internal static class FrontMatterValues
{
    private static readonly JsonSerializerOptions Quoted = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NumberHandling = JsonNumberHandling.Strict };

    /// <param name="page">With line feeds only.</param>
    /// <returns>Where the body begins; the values; and everything else, which a translation must not change. A front matter that is not closed or
    /// not valid has no values.</returns>
    public static (int BodyStart, IReadOnlyList<FrontMatterValue> Values, IReadOnlyList<string> Others) Read(string page)
    {
        int bodyStart;
        try
        {
            bodyStart = page.Length - FrontMatter.Split(page).Body.Length;
        }
        catch (DocumentException)
        {
            // Its text may be anything: the page, if it is one, does not build either.
            return (ClosingLine(page), [], []);
        }

        return bodyStart == 0 ? (0, [], []) : Values(page, page.IndexOf('\n', StringComparison.Ordinal) + 1, bodyStart);
    }

    /// <summary>A value as YAML reads it back whatever is in it: JSON's strings are YAML's.</summary>
    public static string Quote(string text) => JsonSerializer.Serialize(text, Quoted);

    private static int ClosingLine(string page)
    {
        var close = page.IndexOf("\n---", StringComparison.Ordinal);

        return close < 0 ? 0 : page.IndexOf('\n', close + 1) is >= 0 and var end ? end + 1 : page.Length;
    }

    private static (int BodyStart, IReadOnlyList<FrontMatterValue> Values, IReadOnlyList<string> Others) Values(string page, int start, int bodyStart)
    {
        var values = new List<FrontMatterValue>();
        var others = new List<string>();
        var parser = new Parser(new StringReader(page[start..bodyStart].TrimEnd().TrimEnd('-')));
        var depth = 0;
        string? key = null;
        while (parser.MoveNext())
        {
            var current = parser.Current!;
            switch (current)
            {
                case Scalar name when depth == 1 && key is null:
                    key = name.Value;
                    others.Add(key);
                    continue;
                case Scalar value when depth == 1 && key is "title" or "description" or "sidebar_label" && IsProse(value):
                    var from = start + (int)value.Start.Index;
                    var to = start + (int)value.End.Index;
                    // A block of lines ends before the next key.
                    values.Add(new(key!, value.Value.Trim(), from, from + page.AsSpan(from, to - from).TrimEnd().Length));
                    break;
                case Scalar value:
                    others.Add(value.Value);
                    break;
                case MappingStart or SequenceStart:
                    depth++;
                    others.Add("(");
                    continue;
                case MappingEnd or SequenceEnd:
                    depth--;
                    others.Add(")");
                    break;
            }

            if (depth == 1)
                key = null;
        }

        return (bodyStart, values, others);
    }

    private static bool IsProse(Scalar value) => value.Anchor.IsEmpty && value.Tag.IsEmpty && value.Value.Any(char.IsLetter);
}
