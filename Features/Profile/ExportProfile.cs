using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace ChatBackend.Features.Profile;

/// <summary>All that is stored about a reader.</summary>
/// <param name="Subject">The token's subject, which the rest is stored under.</param>
/// <param name="Profile">The profile; null if there is none.</param>
/// <param name="Conversations">The conversations, oldest first.</param>
/// <param name="Translations">The translations of texts of the reader's own, which are in no book.</param>
/// <example>{"subject":"reader-1"}</example>
internal sealed record ExportResponse(DateTimeOffset ExportedAt, string Subject, ProfileResponse? Profile, IAsyncEnumerable<ExportedConversation> Conversations, IAsyncEnumerable<ExportedTranslation> Translations);

/// <summary>A conversation.</summary>
/// <param name="Title">The title that the reader gave it; null if they gave none.</param>
/// <param name="Messages">Its messages in their order.</param>
/// <example>{"title":"Topics"}</example>
internal sealed record ExportedConversation(Guid SessionId, string? Title, DateTime CreatedAt, DateTime UpdatedAt, IAsyncEnumerable<ExportedMessage> Messages);

/// <summary>A message of a conversation.</summary>
/// <param name="Position">Its place, from 1.</param>
/// <param name="Role">user, assistant, or system: a note in place of a failed answer.</param>
/// <param name="SelectedText">The text that a question was about; null for answers, too.</param>
/// <param name="PageUrl">The page that a question was asked on; null for answers, too.</param>
/// <param name="Citations">The passages that an answer cites.</param>
/// <param name="Feedback">What the reader thinks of an answer; null if they did not say.</param>
/// <example>{"position":1,"role":"user","content":"What is a topic?","selected_text":null,"page_url":"/docs/ros2","citations":[],"feedback":null}</example>
internal sealed record ExportedMessage(
    Guid MessageId, Guid TurnId, int Position, string Role, string Content, string? SelectedText, string? PageUrl,
    IReadOnlyList<JsonElement> Citations, ExportedFeedback? Feedback, DateTime CreatedAt);

/// <summary>The reader's feedback on an answer.</summary>
/// <param name="Rating">up or down.</param>
/// <param name="Comment">Why.</param>
/// <example>{"rating":"up","comment":"Just what I needed."}</example>
internal sealed record ExportedFeedback(string Rating, string? Comment, DateTime UpdatedAt);

/// <summary>The translation of a sentence or a paragraph. The original is not stored.</summary>
/// <param name="Text">With a placeholder, such as &lt;x1/&gt;, for each piece of code or address.</param>
/// <param name="UsedOn">The last day on which it was asked for.</param>
/// <example>{"text":"دو نوڈ <x1/> پر بات کرتے ہیں۔","used_on":"2026-11-22"}</example>
internal sealed record ExportedTranslation(string Text, DateOnly UsedOn);

internal static class ExportProfile
{
    public static void MapExportProfile(this IEndpointRouteBuilder profile) => profile
        .MapGet("/export", HandleAsync)
        .WithName(nameof(ExportProfile));

    /// <summary>Download all that is stored about you</summary>
    /// <remarks>Profile, conversations with all messages and citations, feedback, and translations of your own texts, as they were at one moment.</remarks>
    /// <response code="200">A JSON file.</response>
    internal static async Task<DownloadedFile> HandleAsync(
        CurrentReader reader, NpgsqlDataSource database, IOptions<JsonOptions> json, TimeProvider time, CancellationToken cancellationToken)
    {
        // Through a file, because the client may read slowly: the database's connection is given back before the first byte is sent, a
        // failure on the way is still a problem and never half a download, and the memory does not grow with the size.
        var file = DownloadedFile.Create("profile-export.json");
        try
        {
            return await database.RetryAsync(
                async connection =>
                {
                    file.Clear();
                    // One snapshot for all statements.
                    await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
                    var profile = await connection.QuerySingleOrDefaultAsync<ProfileResponse>(new(
                        $"select {ProfileResponse.Columns} from profiles where user_id = @Subject", reader, transaction, cancellationToken: cancellationToken));
                    await using var rows = await connection.ExecuteReaderAsync(new(Sql, reader, transaction, cancellationToken: cancellationToken));
                    var export = new ExportResponse(time.GetUtcNow(), reader.Subject!, profile, ConversationsAsync(rows, cancellationToken), TranslationsAsync(rows, cancellationToken));
                    await JsonSerializer.SerializeAsync(file.Content, export, json.Value.SerializerOptions, cancellationToken);
                    return file;
                },
                cancellationToken);
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    private const string Sql =
        """
        select
            s.id as session_id, s.title, s.created_at as session_created_at, s.updated_at as session_updated_at,
            m.id as message_id, m.turn_id, m.position, m.role::text as role, m.content, m.citations::text as citations, m.created_at,
            case when m.role = 'user' then t.request ->> 'selected_text' end as selected_text,
            case when m.role = 'user' then t.request ->> 'page_url' end as page_url,
            f.rating, f.comment, f.updated_at as rated_at
        from chat_sessions as s
        join messages as m on m.session_id = s.id
        join turns as t on t.id = m.turn_id
        left join message_feedback as f on f.message_id = m.id
        where s.user_id = @Subject
        order by s.created_at, s.id, m.position;

        select translation, used_on from translations where scope = 'user ' || @Subject and translation is not null order by used_on, key
        """;

    /// <summary>The serializer reads each conversation to its end before it asks for the next, so the rows are read once and in their order.</summary>
    private static async IAsyncEnumerable<ExportedConversation> ConversationsAsync(DbDataReader rows, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var parse = rows.GetRowParser<Row>();
        var row = await NextAsync();
        while (row is { } first)
            yield return new(first.SessionId, first.Title, first.SessionCreatedAt, first.SessionUpdatedAt, MessagesAsync(first.SessionId));

        async IAsyncEnumerable<ExportedMessage> MessagesAsync(Guid session)
        {
            for (; row is { } message && message.SessionId == session; row = await NextAsync())
                yield return message.ToMessage();
        }

        async Task<Row?> NextAsync() => await rows.ReadAsync(cancellationToken) ? parse(rows) : null;
    }

    /// <summary>The rows that follow those of the conversations.</summary>
    private static async IAsyncEnumerable<ExportedTranslation> TranslationsAsync(DbDataReader rows, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await rows.NextResultAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
            yield return new(rows.GetString(0), rows.GetFieldValue<DateOnly>(1));
    }

    private sealed record Row(
        Guid SessionId, string? Title, DateTime SessionCreatedAt, DateTime SessionUpdatedAt, Guid MessageId, Guid TurnId, int Position, string Role, string Content,
        string Citations, DateTime CreatedAt, string? SelectedText, string? PageUrl, string? Rating, string? Comment, DateTime? RatedAt)
    {
        public ExportedMessage ToMessage() => new(
            MessageId, TurnId, Position, Role, Content, SelectedText, PageUrl, [.. JsonElement.Parse(Citations).EnumerateArray()],
            Rating is null ? null : new(Rating, Comment, RatedAt!.Value), CreatedAt);
    }
}
