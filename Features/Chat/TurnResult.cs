using System.Reflection;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;
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
        var problem = failure.ToProblem();
        (problem.Extensions["turn_id"], problem.Extensions["retrieved"]) = (turnId, failure.Retrieved);
        if (failure.RetryAfterSeconds is { } seconds)
            problem.Extensions["retry_after_seconds"] = seconds;
        await TypedResults.Problem(problem).ExecuteAsync(context);
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(ChatResponse), ["application/json"]));
}
