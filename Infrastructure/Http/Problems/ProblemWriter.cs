using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;

namespace ChatBackend.Infrastructure.Http.Problems;

/// <summary>Writes a problem whatever the client accepts. The framework's writer skips clients that do not accept JSON, such as readers of a stream.</summary>
internal sealed class ProblemWriter(IOptions<ProblemDetailsOptions> problems, IOptions<JsonOptions> json) : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => true;

    public async ValueTask WriteAsync(ProblemDetailsContext context)
    {
        problems.Value.CustomizeProblemDetails?.Invoke(context);
        if (ProblemShape.Of(context.HttpContext) is { } shape)
        {
            context.HttpContext.Response.ContentType = $"{shape.MediaType}; charset=utf-8";
            await context.HttpContext.Response.WriteAsync(shape.Write(context.ProblemDetails), context.HttpContext.RequestAborted);
            return;
        }

        await context.HttpContext.Response.WriteAsJsonAsync(
            context.ProblemDetails, json.Value.SerializerOptions, "application/problem+json", context.HttpContext.RequestAborted);
    }
}
