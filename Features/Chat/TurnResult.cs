using System.Reflection;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.Metadata;

namespace ChatBackend.Features.Chat;

/// <summary>The stored answer byte for byte, or the failure as a problem.</summary>
/// <param name="end">Null when the turn was deleted.</param>
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

        var failure = end?.Failure ?? TurnFailure.SessionGone();
        var retryAfter = failure.RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : default(TimeSpan?);
        var problem = Problem.Of(failure.Status, failure.Code, failure.Detail, retryAfter);
        var members = problem.ProblemDetails.Extensions;
        (members["turn_id"], members["retrieved"]) = (turnId, failure.Retrieved);
        if (retryAfter is not null)
            members["retry_after_seconds"] = failure.RetryAfterSeconds;
        await problem.ExecuteAsync(context);
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(ChatResponse), ["application/json"]));
}
