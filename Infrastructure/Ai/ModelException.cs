using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Infrastructure.Ai;

/// <summary>A model did not answer. The message is our own, never the server's text.</summary>
internal sealed class ModelException(ModelFailure failure, string message, Exception? inner = null) : FailureException(message, inner)
{
    public ModelFailure Failure { get; } = failure;

    /// <summary>True when a retry with the same model may succeed: it was busy, unreachable, or closed the connection.</summary>
    public bool IsTransient { get; init; }

    /// <summary>True when the server failed, not when it refused the request; the circuit breaker counts these.</summary>
    public bool IsOutage { get; init; }

    /// <summary>True when the model answered, but without text.</summary>
    public bool IsEmpty { get; init; }

    /// <summary>True when the server has no such model, or nothing at this address (404).</summary>
    public bool IsMissing { get; init; }

    /// <summary>True when a setting is wrong (the key, the model, the dimensions) or the quota is spent: every request fails.</summary>
    public bool IsSettings { get; init; }

    public override string Code => Failure switch
    {
        ModelFailure.Timeout => "model_timeout",
        ModelFailure.Unavailable => "model_unavailable",
        ModelFailure.RateLimited => "model_rate_limited",
        ModelFailure.Refused => "model_refused",
        ModelFailure.ContextTooLong => "model_context_too_long",
        _ => "model_failed",
    };

    public override bool IsUnavailable => Failure is ModelFailure.Unavailable or ModelFailure.RateLimited;
}

internal enum ModelFailure
{
    /// <summary>It returned an error, or a response that is not an answer.</summary>
    Failed,

    Timeout,

    /// <summary>The connection was refused, the service said 503, or the circuit is open.</summary>
    Unavailable,

    /// <summary>Too many requests, or the quota is spent.</summary>
    RateLimited,

    Refused,

    ContextTooLong,
}
