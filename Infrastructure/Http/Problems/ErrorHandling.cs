using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using KestrelServerOptions = Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions;

namespace ChatBackend.Infrastructure.Http.Problems;

/// <summary>Makes every failure a problem+json: exceptions, requests that the framework rejects, and bare statuses such as the 404 of an unknown route.</summary>
internal sealed class ErrorHandling(IProblemDetailsService problems, ILogger<ErrorHandling> log) : IExceptionHandler
{
    private const string TooSlow = "The body did not arrive in time.";
    private const string OtherType = "The endpoint does not take this content-type. Most take application/json; GET /openapi/v1.json says what each takes.";

    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellationToken)
    {
        if (context.RequestAborted.IsCancellationRequested)
        {
            // The client is gone; 499 (nginx's convention) is for the request log.
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return true;
        }

        ProblemDetails details;
        if (exception is BadHttpRequestException request)
        {
            details = request is { StatusCode: StatusCodes.Status400BadRequest, InnerException: null } && TakesBody(context)
                ? NoObject()
                : DescribeBadRequest(request, context);
        }
        else
        {
            var failure = ExceptionMapping.ToFailure(exception);
            log.LogError(exception, "Request failed with {Code}", failure.Code);
            details = failure.ToProblem();
        }

        context.Response.StatusCode = details.Status!.Value;
        return await problems.TryWriteAsync(new() { HttpContext = context, ProblemDetails = details });
    }

    private static ProblemDetails DescribeBadRequest(BadHttpRequestException exception, HttpContext context) => exception switch
    {
        { StatusCode: StatusCodes.Status413PayloadTooLarge } => Problem.Details(
            StatusCodes.Status413PayloadTooLarge, "body_too_large", TooLarge(context)),
        { StatusCode: StatusCodes.Status415UnsupportedMediaType } => Problem.Details(
            StatusCodes.Status415UnsupportedMediaType, "unsupported_media_type", OtherType),
        { StatusCode: StatusCodes.Status408RequestTimeout } => Problem.Details(
            StatusCodes.Status408RequestTimeout, "request_timeout", TooSlow),
        { InnerException: JsonException json } => DescribeJson(json),
        _ => Problem.Details(exception.StatusCode, Problem.CodeOf(exception.StatusCode), "The request cannot be read: its body or a parameter is missing or has the wrong form."),
    };

    private static string TooLarge(HttpContext context)
    {
        var bytes = context.RoutedEndpoint()?.Metadata.GetMetadata<IRequestSizeLimitMetadata>()?.MaxRequestBodySize
            ?? context.RequestServices.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits.MaxRequestBodySize;
        var limit = bytes % (1024 * 1024) == 0 ? $"{bytes / (1024 * 1024)} MiB" : $"{bytes / 1024} KiB";
        return $"The body is larger than this endpoint takes: at most {limit}.";
    }

    private static ProblemDetails DescribeJson(JsonException exception)
    {
        // With an inner JsonException the text is not JSON; without one, a value has the wrong type.
        if (exception.Path is { } path && exception.InnerException is not JsonException)
        {
            var field = path.TrimStart('$').TrimStart('.');
            return field.Length == 0
                ? NoObject()
                : Problem.InvalidDetails(new Dictionary<string, string[]> { [field] = ["has a value of the wrong type or form."] });
        }

        return Problem.Details(
            StatusCodes.Status400BadRequest, "malformed_json",
            exception.LineNumber is { } line
                ? $"The body is not well-formed JSON, or nested more than 64 levels deep (line {line + 1}, byte {exception.BytePositionInLine + 1})."
                : "The body is not well-formed JSON.");
    }

    public static void AddErrorHandling(IServiceCollection services)
    {
        services.AddExceptionHandler<ErrorHandling>();
        // Before the framework's own writer: the first one that can write is used.
        services.AddSingleton<IProblemDetailsWriter, ProblemWriter>();
        services.AddProblemDetails(options => options.CustomizeProblemDetails = problem =>
        {
            var details = problem.ProblemDetails;
            var status = details.Status ?? problem.HttpContext.Response.StatusCode;
            details.Status ??= status;
            details.Title ??= Problem.TitleOf(status);
            details.Instance ??= problem.HttpContext.Request.Path;
            if (!details.Extensions.TryGetValue("code", out var code))
            {
                code = details.Extensions["code"] = Problem.CodeOf(status);
                details.Detail ??= BareDetail(status, problem.HttpContext);
            }
            details.Type = Problem.TypeOf((string)code!);
            if (details is RetryableProblem { RetryAfter: { } wait })
                problem.HttpContext.Response.Headers.RetryAfter = Problem.RetryAfterSeconds(wait).ToString();
            details.Extensions.Remove("traceId");
            details.Extensions["trace_id"] = TraceId(problem.HttpContext);
        });
    }

    public static string TraceId(HttpContext context) =>
        Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier;

    /// <summary>True when the route takes a body. Its parameters are bound as text, so only a missing or null body fails to bind.</summary>
    private static bool TakesBody(HttpContext context) =>
        context.Features.Get<IExceptionHandlerFeature>()?.Endpoint?.Metadata.GetMetadata<IAcceptsMetadata>() is { IsOptional: false };

    private static ProblemDetails NoObject() =>
        Problem.InvalidDetails(new Dictionary<string, string[]> { ["body"] = ["must be a JSON object."] });

    private static string? BareDetail(int status, HttpContext context) => status switch
    {
        StatusCodes.Status404NotFound => $"There is nothing at {context.Request.Path}. GET /openapi/v1.json lists what there is.",
        StatusCodes.Status405MethodNotAllowed => $"{context.Request.Path} does not take {context.Request.Method}; the Allow header says what it takes.",
        StatusCodes.Status408RequestTimeout => TooSlow,
        StatusCodes.Status413PayloadTooLarge => TooLarge(context),
        StatusCodes.Status415UnsupportedMediaType => OtherType,
        _ => null,
    };
}
