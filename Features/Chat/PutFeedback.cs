using System.ComponentModel.DataAnnotations;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Chat;

/// <summary>What a reader thinks of an answer.</summary>
/// <param name="Rating">up or down.</param>
/// <param name="Comment">Why, up to 2,000 characters.</param>
/// <example>{"rating":"up","comment":"Just what I needed."}</example>
internal sealed record FeedbackRequest([property: AllowedValues("up", "down")] string Rating, [property: StringLength(2_000)] string? Comment = null);

/// <summary>The feedback as it is stored.</summary>
/// <param name="MessageId">The answer's message.</param>
/// <param name="Rating">up or down.</param>
/// <param name="Comment">Why.</param>
/// <param name="UpdatedAt">When it was last given.</param>
/// <example>{"rating":"up","comment":"Just what I needed."}</example>
internal sealed record FeedbackResponse(Guid MessageId, [property: AllowedValues("up", "down")] string Rating, string? Comment, DateTime UpdatedAt);

internal sealed class FeedbackRequestValidator : AbstractValidator<FeedbackRequest>
{
    public FeedbackRequestValidator()
    {
        RuleFor(r => r.Rating).Must(r => r is "up" or "down").WithMessage("must be up or down.");
        RuleFor(r => r.Comment).MaximumLength(2_000).WithMessage("must hold at most 2000 characters.").StorableText();
    }
}

internal static class PutFeedback
{
    public static void MapPutFeedback(this IEndpointRouteBuilder chat) => chat
        .MapPut("/messages/{id}/feedback", HandleAsync)
        .WithName(nameof(PutFeedback))
        .FailsWith(StatusCodes.Status404NotFound, "message_not_found")
        .Validate<FeedbackRequest>();

    /// <summary>Rate an answer. A message has one rating: the latest.</summary>
    /// <param name="id">The answer's message_id.</param>
    /// <response code="200">Stored.</response>
    /// <response code="400">The body is not valid; <c>errors</c> names its fields.</response>
    /// <response code="404">There is no such answer, or it belongs to another reader.</response>
    internal static async Task<Results<Ok<FeedbackResponse>, ProblemHttpResult>> HandleAsync(
        string id, FeedbackRequest request, CurrentReader reader, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        // The request's time by the database's clock: a retry after a lost reply must not overwrite newer feedback.
        DateTime? askedAt = null;
        if (KeyId.TryParse(id, out var messageId))
        {
            await database.RetryAsync(
                async connection =>
                {
                    askedAt ??= await connection.ExecuteScalarAsync<DateTime?>(new(
                        """
                        select now()
                        from messages as m
                        join chat_sessions as s on s.id = m.session_id
                        where m.id = @messageId and m.role = 'assistant' and (s.user_id is null or s.user_id = @Subject)
                        """,
                        new { messageId, reader.Subject }, cancellationToken: cancellationToken));
                    // The lock waits for a delete of the session, after which there is no message to insert for.
                    return askedAt is null ? 0 : await connection.ExecuteAsync(new(
                        """
                        insert into message_feedback (message_id, rating, comment, created_at, updated_at)
                        select id, @Rating, @Comment, @askedAt, @askedAt from messages where id = @messageId for key share
                        on conflict (message_id) do update set rating = excluded.rating, comment = excluded.comment, updated_at = excluded.updated_at
                        where message_feedback.updated_at <= excluded.updated_at
                        """,
                        new { messageId, request.Rating, request.Comment, askedAt }, cancellationToken: cancellationToken));
                },
                cancellationToken);
        }

        return askedAt is null
            ? Problem.NotFound("message_not_found", "There is no such answer.")
            : TypedResults.Ok(new FeedbackResponse(messageId, request.Rating, request.Comment, askedAt.Value));
    }
}
