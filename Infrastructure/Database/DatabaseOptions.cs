namespace ChatBackend.Infrastructure.Database;

internal sealed class DatabaseOptions
{
    /// <summary>A <c>postgres://</c> URI or Npgsql keywords. In development, null starts a private server.</summary>
    [ConfigurationKeyName("DATABASE_URL")]
    public string? Url { get; set; }
}
