using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Json;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Npgsql;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace ChatBackend.Features.Chat.Sessions;

/// <summary>What a reader may change of a conversation.</summary>
/// <param name="Title">1 to 200 characters after trimming; null for the first question.</param>
/// <example>{"title":"Nodes and topics"}</example>
internal sealed record SessionPatch([property: StringLength(SessionPatch.MaxTitleLength, MinimumLength = 1)] string? Title)
{
    internal const int MaxTitleLength = 200;
}

internal sealed class SessionPatchValidator : AbstractValidator<SessionPatch>
{
    public SessionPatchValidator() => RuleFor(r => r.Title)
        .Must(t => t is null || ValidationFilter.Length(t.Trim()) is > 0 and <= SessionPatch.MaxTitleLength)
        .WithMessage($"must hold 1 to {SessionPatch.MaxTitleLength} characters after trimming.")
        .StorableText();
}

internal static class PatchSession
{
    public static void MapPatchSession(this IEndpointRouteBuilder own) => own
        .MapPatch("/sessions/{id}", HandleAsync)
        .WithName(nameof(PatchSession))
        .AcceptsMergePatch<SessionPatch>()
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found");

    /// <summary>Rename a conversation of yours.</summary>
    /// <remarks>A JSON merge patch (RFC 7396): without `title` nothing changes, and null gives it the title of its first question again.</remarks>
    /// <param name="id">The session's id.</param>
    /// <response code="200">The conversation.</response>
    /// <response code="400">The patch is no object, or the title would not be valid; <c>errors</c> names it.</response>
    /// <response code="404">There is no such session, or it is not yours.</response>
    internal static async Task<Results<Ok<SessionResponse>, ProblemHttpResult>> HandleAsync(
        string id, JsonElement patch, CurrentReader reader, NpgsqlDataSource database, IValidator<SessionPatch> rules, IOptions<JsonOptions> json,
        CancellationToken cancellationToken)
    {
        if (MergePatch.Fault(patch) is { } fault)
            return fault;
        var change = MergePatch.Apply<SessionPatch, SessionPatch>(new(Title: null), patch, json.Value.SerializerOptions);
        if (await rules.ValidateAsync(change, cancellationToken) is { IsValid: false } result)
            return ValidationFilter.Invalid(result);

        var row = !KeyId.TryParse(id, out var sessionId) ? null : await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<SessionRow>(new(
                $"""
                with s as (
                    update chat_sessions set title = case when @isRenamed then @Title else title end
                    where id = @sessionId and user_id = @Subject
                    returning id, title, created_at, updated_at
                )
                select {SessionResponse.Columns} from s {SessionResponse.FirstQuestion}
                """,
                new { sessionId, reader.Subject, isRenamed = patch.TryGetProperty("title", out _), Title = change.Title?.Trim() },
                cancellationToken: cancellationToken)),
            cancellationToken);
        return row is null ? Problem.NotFound("session_not_found", "There is no such session.") : TypedResults.Ok(SessionResponse.From(row));
    }
}
