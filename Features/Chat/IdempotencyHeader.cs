using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Chat;

/// <summary>The Idempotency-Key header: a quoted string as in the IETF draft, or without quotes, as most clients send it.</summary>
internal static class IdempotencyHeader
{
    public const string Name = "Idempotency-Key";

    public const int MaxLength = 255;

    /// <summary>Null if the key is not valid.</summary>
    public static string? Read(string header)
    {
        var text = header.Length >= 2 && header[0] == '"' && header[^1] == '"' ? header[1..^1] : header;
        return text.Length is > 0 and <= MaxLength && text.All(c => c is > ' ' and <= '~') ? text : null;
    }

    public static ProblemHttpResult Invalid() => Problem.Invalid("idempotency-key", $"must be 1 to {MaxLength} visible ASCII characters.");
}
