using System.ComponentModel.DataAnnotations;
using ChatBackend.Features.Chat.Stopping;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Limits;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Chat.OpenAi;

internal static class PostCompletion
{
    public static void MapPostCompletion(this IEndpointRouteBuilder openAi) => openAi
        .MapPost("/chat/completions", HandleAsync)
        .WithName(nameof(PostCompletion))
        .WithMetadata(new RequestSizeLimitAttribute(CompletionRequest.MaxBytes), Completion.Description)
        .Validate<CompletionRequest>()
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found")
        .FailsWith(StatusCodes.Status422UnprocessableEntity, "idempotency_key_reused")
        .FailsWhenLimited()
        .FailsWhenSpent();

    /// <summary>Ask the book a question, as OpenAI's API does.</summary>
    /// <remarks>
    /// For clients of OpenAI's chat completions, streaming or not. Each call is a turn in a conversation of its own. Nobody can come back for it, so
    /// a client that disconnects stops the model, unless another one waits. Errors have OpenAI's shape.
    /// </remarks>
    /// <response code="200">The answer.</response>
    /// <response code="400">The body is not valid.</response>
    /// <response code="404">The conversation was deleted before the question was answered.</response>
    /// <response code="422">The key was used before with another question.</response>
    /// <response code="429">Too many questions from this client, or the tokens for today are used up; Retry-After says when to retry.</response>
    internal static async Task<Results<Ok<Completion>, ServerSentEvents, ProblemHttpResult>> HandleAsync(
        CompletionRequest request,
        [FromHeader(Name = IdempotencyHeader.Name), StringLength(IdempotencyHeader.MaxLength, MinimumLength = 1), System.ComponentModel.Description("A repeated request with the same key and question gets the same turn. Without a token it must be a random UUID.")] string? idempotencyKey,
        CurrentReader reader, HttpContext context, UnattendedTurns turns, TimeProvider time, CancellationToken cancellationToken)
    {
        var turn = await turns.AskAsync(request.ToQuestion(), sessionId: null, idempotencyKey, reader, context, cancellationToken);
        if (turn.Refusal is { } refusal)
            return refusal;

        if (request.Stream is true)
        {
            var steps = turns.FollowAsync(turn, reader.Subject, cancellationToken);
            var created = time.GetUtcNow().ToUnixTimeSeconds();
            return new ServerSentEvents(Completion.ChunksAsync(turn, steps, request.StreamOptions, created, cancellationToken)) { IsReconnecting = false };
        }

        var end = await turns.WaitAsync(turn, reader.Subject, cancellationToken);
        if (end?.ResponseJson is { } response)
            return TypedResults.Ok(Completion.Of(TurnJson.Read<ChatResponse>(response)));
        return TypedResults.Problem((end?.Failure ?? TurnFailure.SessionGone()).ToProblem());
    }
}
