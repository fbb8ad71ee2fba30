namespace ChatBackend.Infrastructure.Auth;

/// <summary>Who asks.</summary>
internal sealed record CurrentReader(string? Subject)
{
    public static ValueTask<CurrentReader?> BindAsync(HttpContext context) => ValueTask.FromResult<CurrentReader?>(new(context.User.FindFirst("sub")?.Value));
}
