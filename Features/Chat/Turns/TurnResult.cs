using System.Reflection;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>A turn's end as an HTTP answer: the stored answer to the byte, or the failure as a problem.</summary>
/// <param name="end">Null when the turn is gone.</param>
internal sealed class TurnResult(TurnEnd? end, Guid turnId) : IResult, IEndpointMetadataProvider
{
    public async Task ExecuteAsync(HttpContext context)
    {
        if (end?.ResponseJson is { } response)
        {
            context.Response.ContentType = "application/json; charset=utf-8";
            await PacedText.WriteAsync(context, response);
            return;
        }

        var failure = end?.Failure ?? TurnFollower.SessionGone();
        context.Response.StatusCode = failure.Status;
        if (failure.RetryAfterSeconds is { } seconds)
            context.Response.Headers.RetryAfter = seconds.ToString();
        await context.RequestServices.GetRequiredService<IProblemDetailsService>()
            .WriteAsync(new() { HttpContext = context, ProblemDetails = Describe(failure, turnId) });
    }

    /// <summary>A failed turn as a problem: with the turn, to come back to, and what was found in the book in any case.</summary>
    public static ProblemDetails Describe(TurnFailure failure, Guid turnId)
    {
        var problem = Problem.Details(failure.Status, failure.Code, failure.Detail);
        problem.Extensions["turn_id"] = turnId;
        problem.Extensions["retrieved"] = failure.Retrieved;
        if (failure.RetryAfterSeconds is { } seconds)
            problem.Extensions["retry_after_seconds"] = seconds;
        return problem;
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(ChatResponse), ["application/json"]));
}
