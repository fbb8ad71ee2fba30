using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Dapper;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Chat.Sessions;

/// <summary>A number is bound as text, so that a problem can name it.</summary>
internal sealed record ListSessionsRequest
{
    [FromQuery(Name = "cursor"), Example("639000000000000000.5d1f3f0e-6c0d-4c64-9a0e-3b1a5d2c7e90")]
    [Description("The next_cursor of the previous page; without it, the newest conversations.")]
    public string? Cursor { get; init; }

    [FromQuery(Name = "limit"), Range(1, 100), DefaultValue("50")]
    [Description("The most conversations to return.")]
    public string? Limit { get; init; }
}

internal sealed class ListSessionsRequestValidator : AbstractValidator<ListSessionsRequest>
{
    public ListSessionsRequestValidator()
    {
        RuleFor(r => r.Cursor).Must(c => c is null || SessionCursor.Parse(c) is not null).WithMessage("cursor must be a next_cursor of this list.");
        RuleFor(r => r.Limit).WholeNumber("limit", 1, 100);
    }
}

/// <summary>A page of conversations.</summary>
/// <param name="Items">Conversations, the one with the latest question first.</param>
/// <param name="NextCursor">Send it as <c>cursor</c> to get the conversations before these; null when there are none.</param>
/// <example>{"next_cursor":"639000000000000000.5d1f3f0e-6c0d-4c64-9a0e-3b1a5d2c7e90"}</example>
internal sealed record SessionsResponse(IReadOnlyList<SessionResponse> Items, string? NextCursor);

/// <summary>The last conversation of a page. A conversation that is continued meanwhile moves to the first page.</summary>
internal sealed record SessionCursor(DateTime UpdatedAt, Guid Id)
{
    /// <summary>Before the newest; PostgreSQL reads the time as infinity.</summary>
    public static readonly SessionCursor Start = new(DateTime.SpecifyKind(DateTime.MaxValue, DateTimeKind.Utc), Guid.AllBitsSet);

    public override string ToString() => $"{UpdatedAt.Ticks}.{Id}";

    public static SessionCursor? Parse(string text) =>
        text.Split('.') is [var ticks, var id] && long.TryParse(ticks, out var count) && count > 0 && count < DateTime.MaxValue.Ticks && KeyId.TryParse(id, out var key)
            ? new(new(count, DateTimeKind.Utc), key)
            : null;
}

internal static class ListSessions
{
    public static void MapListSessions(this IEndpointRouteBuilder own) => own
        .MapGet("/sessions", HandleAsync)
        .WithName(nameof(ListSessions))
        .Validate<ListSessionsRequest>();

    /// <summary>Your conversations, newest first.</summary>
    /// <response code="200">A page.</response>
    /// <response code="400">The cursor or the limit is not valid.</response>
    internal static async Task<Ok<SessionsResponse>> HandleAsync(
        [AsParameters] ListSessionsRequest request, CurrentReader reader, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        var limit = int.Parse(request.Limit ?? "50");
        var after = request.Cursor is null ? SessionCursor.Start : SessionCursor.Parse(request.Cursor)!;
        var rows = (await database.RetryAsync(
            connection => connection.QueryAsync<SessionRow>(new(
                $"""
                select {SessionResponse.Columns}
                from chat_sessions as s
                {SessionResponse.FirstQuestion}
                where s.user_id = @Subject and (s.updated_at, s.id) < (@UpdatedAt, @Id)
                order by s.updated_at desc, s.id desc
                limit @limit + 1
                """,
                new { reader.Subject, after.UpdatedAt, after.Id, limit }, cancellationToken: cancellationToken)),
            cancellationToken)).AsList();
        return TypedResults.Ok(new SessionsResponse(
            [.. rows.Take(limit).Select(SessionResponse.From)],
            rows.Count > limit ? new SessionCursor(rows[limit - 1].UpdatedAt, rows[limit - 1].Id).ToString() : null));
    }
}
