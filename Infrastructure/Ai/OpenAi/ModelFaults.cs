using System.ClientModel;
using System.Globalization;
using System.Text.Json;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>
/// The only place that maps failures of a model's server to <see cref="ModelException"/>. The server's text is used for <c>check</c>
/// alone, not even as an inner exception, because it may repeat prompts, keys and addresses.
/// </summary>
internal static class ModelFaults
{
    /// <summary>The codes and types of OpenAI's errors for a spent quota, and those for "retry later".</summary>
    private static readonly string[] SpentQuota = ["insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"];
    private static readonly string[] Busy = ["rate_limit_exceeded", "slow_down", "rate_limit_error", "tokens", "requests"];

    /// <param name="wasEnough">False when a working model may need more time than it was given.</param>
    public static ModelException OutOfTime(bool wasEnough = true) => new(ModelFailure.Timeout, "The model did not answer within its time.") { IsOutage = wasEnough };

    public static ModelException Silent() =>
        new(ModelFailure.Timeout, "The model's server stopped responding.") { IsTransient = true, IsOutage = true };

    public static ModelException Truncated() =>
        new(ModelFailure.Failed, "The model's answer broke off.") { IsTransient = true, IsOutage = true };

    public static ModelException CircuitOpen(TimeSpan retryAfter) =>
        new(ModelFailure.Unavailable, "The model has failed repeatedly and is not called for some seconds. Try again shortly.") { RetryAfter = retryAfter };

    public static ModelException Refused() => new(ModelFailure.Refused, "The model declined to answer.");

    public static ModelException Empty() => new(ModelFailure.Failed, "The model gave an empty answer.") { IsEmpty = true };

    public static ModelException TooLong() => new(ModelFailure.Failed, "The model's server sent more than an answer can be.");

    public static ModelException Malformed() => new(ModelFailure.Failed, "The model's server did not answer as its API promises.") { IsSettings = true };

    /// <param name="dimensions">Set, or learnt from the model's first answer.</param>
    public static ModelException OtherDimensions(string model, int dimensions, int got) => new(
        ModelFailure.Failed, $"{model} answered with {got} dimensions instead of {dimensions}: set OPENAI_EMBEDDING_DIMENSIONS to {got}, or leave it unset.")
    { IsSettings = true };

    /// <summary>Classifies an exception of the SDK or of HttpClient, except cancellations, which are the caller's.</summary>
    public static ModelException From(Exception exception, TimeProvider time) => exception switch
    {
        ModelException known => known,
        ClientResultException { Status: >= 300 } answer when answer.GetRawResponse() is { } response => FromAnswer(
            answer.Status, response.Content, name => response.Headers.TryGetValue(name, out var value) ? value : null, time),
        // The handler's connect timeout cancelled it, not this service or the caller.
        OperationCanceledException => Unreachable(exception),
        // Status 0 is the SDK's for a connection that failed before the headers.
        ClientResultException or HttpRequestException => Unreachable(exception),
        IOException => Truncated(),
        AggregateException { InnerException: { } inner } => From(inner, time),
        _ => Malformed(),
    };

    /// <summary>Classifies a response without a success status code. Its body is buffered already (<see cref="BoundedBodies"/>).</summary>
    public static async Task<ModelException> FromAsync(HttpResponseMessage answer, TimeProvider time) => FromAnswer(
        (int)answer.StatusCode, await answer.Content.ReadAsByteArrayAsync(),
        name => answer.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null, time);

    /// <summary>Classifies an error object: with its status, or with 200 if it came within a stream.</summary>
    public static ModelException FromError(int status, string? code, string? type, string? message, TimeSpan? retryAfter)
    {
        if (Is(SpentQuota))
            return new(ModelFailure.RateLimited, "The quota at the model's server is spent.") { RetryAfter = retryAfter, IsSettings = true };
        if (Is("context_length_exceeded") || (status is 400 or 413 && SpeaksOfContext(message)))
            return new(ModelFailure.ContextTooLong, "The prompt is longer than the model's context.");
        if (Is("content_filter", "content_policy_violation"))
            return Refused();

        return status switch
        {
            429 => RateLimited(),
            503 or 529 => Unavailable(),
            408 or 504 => new(ModelFailure.Timeout, $"The model's server answered {status}.") { RetryAfter = retryAfter, IsTransient = true, IsOutage = true },
            409 => new(ModelFailure.Failed, "The model's server answered 409.") { RetryAfter = retryAfter, IsTransient = true },
            404 or 405 or 501 => new(ModelFailure.Failed, $"The model's server does not know the model or the address ({status}).") { IsSettings = true, IsMissing = true },
            >= 500 => new(ModelFailure.Failed, $"The model's server answered {status}.") { RetryAfter = retryAfter, IsTransient = true, IsOutage = true },
            401 or 403 => new(ModelFailure.Failed, $"The model's server did not accept the key ({status}).") { IsSettings = true },
            >= 300 => new(ModelFailure.Failed, $"The model's server did not accept the request ({status})."),
            _ when Is(Busy) => RateLimited(),
            _ when Is("server_is_overloaded", "overloaded_error", "overloaded") => Unavailable(),
            _ => new(ModelFailure.Failed, "The model's server reported an error in its answer.") { IsTransient = true, IsOutage = true },
        };

        bool Is(params string[] names) => names.Contains(code) || names.Contains(type);

        ModelException RateLimited() =>
            new(ModelFailure.RateLimited, "The model's server has too many requests.") { RetryAfter = retryAfter, IsTransient = true };

        ModelException Unavailable() =>
            new(ModelFailure.Unavailable, "The model's server is unavailable.") { RetryAfter = retryAfter, IsTransient = true, IsOutage = true };
    }

    private static ModelException Unreachable(Exception exception) => new(ModelFailure.Unavailable, "The model's server cannot be reached.")
    {
        IsTransient = true,
        IsOutage = true,
        ServerText = exception.GetBaseException().Message,
    };

    private static ModelException FromAnswer(int status, ReadOnlyMemory<byte> body, Func<string, string?> header, TimeProvider time)
    {
        var (code, type, message) = ReadError(body);

        var fault = FromError(status, code, type, message, RetryAfter(header, time));
        fault.ServerText = message;
        return fault;
    }

    /// <summary>OpenAI's form and those of compatible servers: an <c>error</c> object, its members at the top level, or no JSON.</summary>
    private static (string? Code, string? Type, string? Message) ReadError(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            var root = json.RootElement is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0 ? list[0] : json.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out var nested))
                root = nested;

            return root.ValueKind switch
            {
                JsonValueKind.Object => (Text(root, "code"), Text(root, "type"), Text(root, "message")),
                JsonValueKind.String => (null, null, root.GetString()),
                _ => default,
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return default;
        }

        static string? Text(JsonElement parent, string name) =>
            parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    /// <summary>vLLM, llama.cpp and others say it only in the message.</summary>
    private static bool SpeaksOfContext(string? message) => message is not null
        && (message.Contains("context length", StringComparison.OrdinalIgnoreCase)
            || message.Contains("context size", StringComparison.OrdinalIgnoreCase)
            || message.Contains("context window", StringComparison.OrdinalIgnoreCase));

    /// <summary>Retry-After in milliseconds, seconds or as a date.</summary>
    private static TimeSpan? RetryAfter(Func<string, string?> header, TimeProvider time)
    {
        if (Number(header("retry-after-ms")) is { } milliseconds)
            return TimeSpan.FromMilliseconds(milliseconds);
        var text = header("retry-after");
        if (Number(text) is { } seconds)
            return TimeSpan.FromSeconds(seconds);

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)
            ? TimeSpan.FromTicks(Math.Max(0, (date - time.GetUtcNow()).Ticks))
            : null;

        // At most a day: a larger value is an error, and might not fit a TimeSpan.
        static double? Number(string? text) =>
            double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? Math.Min(number, 86_400) : null;
    }
}
