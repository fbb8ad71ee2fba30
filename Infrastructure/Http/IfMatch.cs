using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.Net.Http.Headers;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Entity tags made of a row's version, and the If-Match header that guards against lost updates (RFC 9110, 13.1.1).</summary>
internal static class IfMatch
{
    public const string Description = "The ETag that the caller has read, such as `\"3\"`, or several; `*` for any. Without it the last writer wins.";

    public static TBuilder AnswersWithVersion<TBuilder>(this TBuilder routes) where TBuilder : IEndpointConventionBuilder =>
        routes.AnswersWithHeader("ETag", "The version of the record; send it back in If-Match to guard a change.");

    public static void SetVersion(this HttpResponse response, int version) =>
        response.Headers.ETag = $"\"{version}\"";

    /// <summary>The versions that the header allows: null for any (no header, or <c>*</c>), empty for none. Weak and foreign tags never match.</summary>
    public static int[]? Versions(string? header)
    {
        if (string.IsNullOrWhiteSpace(header) || header.Trim() == "*")
            return null;

        // A malformed header allows no version: ignoring it would lose the update that it guards against.
        return EntityTagHeaderValue.TryParseList([header], out var tags)
            ? [.. tags.Where(t => !t.IsWeak).Select(t => int.TryParse(t.Tag.AsSpan().Trim('"'), out var version) ? version : 0).Where(v => v > 0)]
            : [];
    }

    public static Microsoft.AspNetCore.Http.HttpResults.ProblemHttpResult Failed() => Problem.Of(
        StatusCodes.Status412PreconditionFailed, "precondition_failed",
        "It has changed since you read it: If-Match names another version. Read it again, then repeat the change.");
}
