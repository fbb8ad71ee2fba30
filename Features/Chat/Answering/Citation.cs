using System.Text;
using System.Text.Json.Serialization;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>A passage of the book that was found for a question.</summary>
/// <param name="Title">The page's title.</param>
/// <param name="Heading">The heading above the passage.</param>
/// <param name="Url">The page's address, ending in the heading's anchor.</param>
/// <param name="Snippet">The start of the passage, up to 240 characters. Like title and heading, it is plain text.</param>
/// <param name="Score">The relevance by the index's measure; higher is better.</param>
/// <example>{"title":"Nodes and Topics","heading":"How nodes talk to each other","url":"/docs/ros2/nodes-and-topics#how-nodes-talk",
/// "snippet":"Two ROS 2 nodes talk to each other over a topic: one publishes, the other subscribes.","score":11.42}</example>
internal record RetrievedPassage(string Title, string Heading, string Url, string Snippet, double Score)
{
    private const int SnippetLength = 240;

    /// <summary>The address for clients on other sites; null without <c>SITE_BASE_URL</c>, as a relative one would lead them to their own.</summary>
    [JsonIgnore]
    public string? Link => Url.StartsWith("http://", StringComparison.Ordinal) || Url.StartsWith("https://", StringComparison.Ordinal) ? Url : null;

    /// <summary>The page and the heading on it, for clients that show one title.</summary>
    [JsonIgnore]
    public string Label => Heading.Length == 0 || Heading == Title ? Title : $"{Title} › {Heading}";

    public static RetrievedPassage From(Passage passage) =>
        new(passage.Title, passage.Heading, passage.Url, Excerpt.Of(passage.Text, SnippetLength), Math.Round(passage.Score, 4));

    public Citation Cite(int number) => new(number, Title, Heading, Url, Snippet, Score);
}

/// <summary>A passage of the book that an answer cites.</summary>
/// <param name="Number">The number of its marker in the answer, from 1 in the order of first use.</param>
/// <example>{"number":1,"title":"Nodes and Topics","heading":"How nodes talk to each other","url":"/docs/ros2/nodes-and-topics#how-nodes-talk",
/// "snippet":"Two ROS 2 nodes talk to each other over a topic: one publishes, the other subscribes.","score":11.42}</example>
internal sealed record Citation(int Number, string Title, string Heading, string Url, string Snippet, double Score)
    : RetrievedPassage(Title, Heading, Url, Snippet, Score);

/// <summary>The start of a text on one line, cut at a word if it is longer.</summary>
internal static class Excerpt
{
    public static string Of(string text, int length)
    {
        // A passage is much longer than its excerpt.
        var start = new StringBuilder(length + 2);
        var isSpace = false;
        for (var i = 0; i < text.Length && start.Length <= length; i++)
        {
            if (char.IsWhiteSpace(text[i]))
            {
                isSpace = start.Length > 0;
                continue;
            }

            start.Append(isSpace ? " " : "").Append(text[i]);
            isSpace = false;
        }

        var line = start.ToString();
        if (line.Length <= length)
            return line;
        var cut = line.LastIndexOf(' ', length) is > 0 and var space ? space : length;
        return $"{line[..(char.IsHighSurrogate(line[cut - 1]) ? cut - 1 : cut)]}…";
    }
}
