using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Sessions;

/// <summary>A conversation of a signed-in reader.</summary>
/// <param name="SessionId">Its id.</param>
/// <param name="Title">The title that its reader gave it; otherwise its first question, cut at a word to 80 characters.</param>
/// <param name="CreatedAt">When it began.</param>
/// <param name="UpdatedAt">When its latest question was asked.</param>
/// <example>{"title":"How do two ROS 2 nodes talk to each other?"}</example>
internal sealed record SessionResponse(Guid SessionId, string Title, DateTime CreatedAt, DateTime UpdatedAt)
{
    private const int MaxQuestionLength = 80;

    /// <summary>For a select from a relation named <c>s</c> (the columns of chat_sessions).</summary>
    public const string Columns = "s.id, s.title, question.content as question, s.created_at, s.updated_at";

    /// <summary>The first question that was not replaced. Its start is enough for a title.</summary>
    public const string FirstQuestion =
        """
        left join lateral (
            select left(m.content, 500) as content
            from messages as m
            join turns as t on t.id = m.turn_id and t.session_id = m.session_id
            where m.session_id = s.id and m.role = 'user' and t.superseded_by is null
            order by m.position
            limit 1
        ) as question on true
        """;

    public static SessionResponse From(SessionRow row) => new(row.Id, row.Title ?? Excerpt.Of(row.Question ?? "", MaxQuestionLength), row.CreatedAt, row.UpdatedAt);
}

internal sealed record SessionRow(Guid Id, string? Title, string? Question, DateTime CreatedAt, DateTime UpdatedAt);
