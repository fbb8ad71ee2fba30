using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Http.Json;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>What a reader asked, as the turn keeps it: all that any process needs to answer it.</summary>
/// <param name="Message">The question, trimmed.</param>
/// <param name="SelectedText">The text that the reader marked on the page.</param>
/// <param name="PageUrl">The page the reader is on.</param>
internal sealed record Question(string Message, string? SelectedText, string? PageUrl);

/// <summary>A turn in the hands of this process.</summary>
/// <param name="Number">Its place in the session, from 1.</param>
/// <param name="Attempt">Which owner this is; only the highest may end the turn.</param>
/// <param name="Takeovers">How many processes died with it since its reader asked for it last.</param>
internal sealed record ClaimedTurn(Guid Id, Guid SessionId, int Number, int Attempt, string? UserId, Question Question, int Takeovers = 0);

/// <summary>What a turn's prompt needs from the database.</summary>
/// <param name="History">The messages before the question, oldest first, at most nine.</param>
internal sealed record TurnContext(IReadOnlyList<HistoryMessage> History, ReaderProfile? Profile);

/// <summary>A message of the conversation so far.</summary>
/// <param name="IsCut">True for an answer of which only the beginning is there.</param>
internal sealed record HistoryMessage(ModelRole Role, string Content, bool IsCut = false)
{
    /// <summary>The message for a prompt. A cut answer says that it is cut, or the model takes it for a whole one.</summary>
    public ModelMessage ToPrompt() => new(Role, IsCut ? $"{Content}\n\n[This answer was cut off here.]" : Content);
}

/// <summary>What a signed-in reader told of themself.</summary>
internal sealed record ReaderProfile(
    string? DisplayName, string? PreferredLanguage, string? SoftwareExperience, string? HardwareExperience,
    IReadOnlyList<string>? Interests, string? LearningGoals);

/// <summary>A passage of the book that an answer rests on.</summary>
/// <param name="Number">The number of its marker in the answer: 1 is cited first.</param>
/// <param name="Title">The page's title.</param>
/// <param name="Heading">The heading the passage stands under.</param>
/// <param name="Url">The page's address, ending in the heading's anchor.</param>
/// <param name="Snippet">The passage's beginning, to 240 characters. Like title and heading, to be shown as plain text.</param>
/// <param name="Score">The index's measure; higher is nearer.</param>
/// <example>
/// {
///   "number": 1, "title": "Nodes and Topics", "heading": "How nodes talk to each other", "url": "/docs/ros2/nodes-and-topics#how-nodes-talk",
///   "snippet": "Two ROS 2 nodes talk to each other over a topic: one publishes, the other subscribes.", "score": 11.42
/// }
/// </example>
internal sealed record Citation(int Number, string Title, string Heading, string Url, string Snippet, double Score);

/// <summary>A passage that was found for the question, whether or not the answer cites it.</summary>
internal sealed record RetrievedPassage(string Title, string Heading, string Url, string Snippet, double Score)
{
    private const int SnippetLength = 240;

    public static RetrievedPassage From(Passage passage)
    {
        var text = string.Join(' ', passage.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        var cut = text.Length;
        if (cut > SnippetLength)
            cut = text.LastIndexOf(' ', SnippetLength) is > 0 and var space ? space : SnippetLength;
        if (char.IsHighSurrogate(text, Math.Max(0, cut - 1)))
            cut--;
        var snippet = cut < text.Length ? $"{text[..cut]}…" : text;
        return new(passage.Title, passage.Heading, passage.Url, snippet, Math.Round(passage.Score, 4));
    }

    public Citation Cite(int number) => new(number, Title, Heading, Url, Snippet, Score);
}

/// <summary>How well the book carries an answer.</summary>
internal enum Grounding
{
    /// <summary>The answer cites passages that fit the question.</summary>
    Grounded,

    /// <summary>The answer cites passages that cover only some of the question, or was cut before it cited one.</summary>
    Partial,

    /// <summary>The book has nothing on it, and the answer says so; or it was small talk. It cites nothing.</summary>
    None,
}

/// <summary>What a turn cost.</summary>
/// <param name="InputTokens">Tokens of the prompt; null where the model does not tell.</param>
/// <param name="OutputTokens">Tokens of the answer; null where the model does not tell.</param>
/// <param name="LatencyMs">Milliseconds from the question to the end of the answer.</param>
/// <example>{"input_tokens":1840,"output_tokens":96,"latency_ms":1420}</example>
internal sealed record Usage(int? InputTokens, int? OutputTokens, int LatencyMs);

/// <summary>The answer to a question.</summary>
/// <param name="Response">
/// The answer in Markdown, with markers such as [1] that number its citations. It has no HTML and no images, and its links are
/// http, https, mailto or relative.
/// </param>
/// <param name="SessionId">The conversation; send it with the next question.</param>
/// <param name="Timestamp">When the answer was complete.</param>
/// <param name="MessageId">The answer's message, for feedback.</param>
/// <param name="TurnId">The turn, to come back to.</param>
/// <param name="Citations">The passages that the answer cites, in the order of first use.</param>
/// <param name="Grounding">How well the book carries the answer.</param>
/// <param name="Incomplete">True when the model stopped before the end: the answer is only its beginning.</param>
/// <param name="FinishReason">stop, length, content_filter, or interrupted.</param>
/// <param name="Model">The model that answered; offline-extractive quotes the book without one, small-talk asks neither.</param>
/// <example>
/// {
///   "response": "Over a topic: one node publishes messages, the other subscribes to them [1].",
///   "incomplete": false, "finish_reason": "stop", "model": "gpt-4o-mini"
/// }
/// </example>
internal sealed record ChatResponse(
    string Response, Guid SessionId, DateTimeOffset Timestamp, Guid MessageId, Guid TurnId,
    IReadOnlyList<Citation> Citations, Grounding Grounding, bool Incomplete, string FinishReason, string Model, Usage Usage);

/// <summary>Why a turn has no answer; kept with the turn, and shown as a problem.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="RetryAfterSeconds">When asking again makes sense, where that is known.</param>
internal sealed record TurnFailure(int Status, string Code, string Detail, int? RetryAfterSeconds, IReadOnlyList<RetrievedPassage> Retrieved)
{
    /// <summary>What an exception is to a reader.</summary>
    public static TurnFailure From(Exception exception, IReadOnlyList<RetrievedPassage> retrieved)
    {
        var failure = Failure.Of(exception);
        return new(failure.Status, failure.Code, failure.Detail, failure.RetryAfterSeconds, retrieved);
    }
}

/// <summary>The JSON of what turns keep and send: snake_case, and Urdu as Urdu.</summary>
internal static class TurnJson
{
    public static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower), new UtcTimeConverter() },
    };

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, Options);

    /// <summary>A value of an enum as JSON and the database have it.</summary>
    public static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    public static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options)!;
}
