using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ChatBackend.Features.Translate.Documents;

/// <summary>A segment's prose as a model sees it, and back.</summary>
internal static partial class SegmentText
{
    public static string Write(IReadOnlyList<PageNode> nodes)
    {
        var text = new StringBuilder();
        var number = 0;
        Write(nodes, text, ref number);

        return Spaces().Replace(text.ToString(), " ").Trim();
    }

    /// <summary>The words of a segment's text, with a space where a placeholder was.</summary>
    public static string WithoutPlaceholders(string text) => Placeholder().Replace(text, " ");

    private static void Write(IReadOnlyList<PageNode> nodes, StringBuilder text, ref int number)
    {
        foreach (var node in nodes)
        {
            switch (node)
            {
                case TextNode words:
                    text.Append(words.Text);
                    break;
                case OpaqueNode:
                    text.Append(CultureInfo.InvariantCulture, $"<x{++number}/>");
                    break;
                case PairNode pair:
                    var own = ++number;
                    text.Append(CultureInfo.InvariantCulture, $"<g{own}>");
                    Write(pair.Children, text, ref number);
                    text.Append(CultureInfo.InvariantCulture, $"</g{own}>");
                    break;
            }
        }
    }

    /// <summary>The translation as nodes. Its text nodes have no place in the source.</summary>
    /// <exception cref="RefusedTranslationException">A placeholder is missing, new, there twice, or wrongly nested.</exception>
    public static IReadOnlyList<PageNode> Read(IReadOnlyList<PageNode> original, string translation)
    {
        var expected = new Dictionary<int, PageNode>();
        Number(original, expected);
        var open = new Stack<(int Number, List<PageNode> Children)>();
        var children = new List<PageNode>();
        var done = 0;
        foreach (Match match in Placeholder().Matches(translation))
        {
            AddText(translation[done..match.Index]);
            done = match.Index + match.Length;
            var number = int.Parse(match.Groups["number"].ValueSpan, CultureInfo.InvariantCulture);
            if (match.Groups["close"].Length > 0)
            {
                if (!open.TryPop(out var outer) || outer.Number != number)
                    throw new RefusedTranslationException($"</g{number}> does not close the placeholder that was opened last.");

                var pair = (PairNode)expected[number] with { Children = children };
                if (HasWords(((PairNode)expected[number]).Children) && !HasWords(children))
                    throw new RefusedTranslationException($"Between <g{number}> and </g{number}> there are no words.");

                expected.Remove(number);
                children = outer.Children;
                children.Add(pair);
                continue;
            }

            if (!expected.TryGetValue(number, out var node) || open.Any(pair => pair.Number == number))
                throw new RefusedTranslationException($"The placeholder {match.Value} is not in the original, or comes twice.");
            if (node is PairNode != (match.Groups["kind"].ValueSpan is "g" or "G") || (node is PairNode && match.Groups["whole"].Length > 0))
                throw new RefusedTranslationException($"The placeholder {match.Value} has another form than in the original.");

            if (node is PairNode)
            {
                open.Push((number, children));
                children = [];
            }
            else
            {
                expected.Remove(number);
                children.Add(node);
            }
        }

        AddText(translation[done..]);
        if (open.Count > 0)
            throw new RefusedTranslationException($"<g{open.Peek().Number}> is not closed.");
        if (expected.Count > 0)
            throw new RefusedTranslationException($"The placeholder {(expected.First() is { Value: PairNode } pairLeft ? $"<g{pairLeft.Key}>" : $"<x{expected.First().Key}/>")} is missing.");

        return children;

        void AddText(string text)
        {
            if (text.Length > 0)
                children.Add(new TextNode(-1, -1, text));
        }
    }

    private static void Number(IReadOnlyList<PageNode> nodes, Dictionary<int, PageNode> numbered)
    {
        foreach (var node in nodes.Where(node => node is not TextNode))
        {
            numbered.Add(numbered.Count + 1, node);
            if (node is PairNode pair)
                Number(pair.Children, numbered);
        }
    }

    public static bool HasWords(IEnumerable<PageNode> nodes) =>
        nodes.Any(node => node is TextNode text ? text.Text.Any(char.IsLetterOrDigit) : node is PairNode pair && HasWords(pair.Children));

    [GeneratedRegex(@"<(?>\s*(?<close>/)?\s*)(?<kind>[xg])(?>\s*(?<number>[0-9]{1,4})\s*(?<whole>/)?\s*)>", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: Segment.LongestMatch)]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"[ \t\r\n]+", RegexOptions.None, matchTimeoutMilliseconds: Segment.LongestMatch)]
    private static partial Regex Spaces();
}

/// <summary>A translation that does not fit its segment. The message tells the model why.</summary>
internal sealed class RefusedTranslationException(string message) : Exception(message);
