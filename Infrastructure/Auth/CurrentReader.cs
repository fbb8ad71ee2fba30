namespace ChatBackend.Infrastructure.Auth;

/// <summary>The reader who sent the request; a handler takes it as a parameter.</summary>
/// <param name="Subject">The token's <c>sub</c>; null for an anonymous reader.</param>
internal sealed record CurrentReader(string? Subject)
{
    public static ValueTask<CurrentReader?> BindAsync(HttpContext context) => ValueTask.FromResult<CurrentReader?>(new(context.User.FindFirst("sub")?.Value));
}
