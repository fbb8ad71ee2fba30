
namespace ChatBackend.Infrastructure.Configuration;

internal static class ConfigurationFeature
{
    /// <summary>Checks all settings before anything uses them, and listens on <c>PORT</c>.</summary>
    /// <exception cref="SettingsException">Settings are missing or malformed. The message lists every problem at once.</exception>
    public static void AddSettings(this WebApplicationBuilder builder)
    {
        var problems = SettingsTable.Problems(builder.Configuration, builder.Environment.IsDevelopment());
        if (problems.Count > 0)
            throw new SettingsException(problems);

        // [::] is every interface, including IPv6: Railway's private network uses IPv6.
        builder.WebHost.UseUrls($"http://[::]:{builder.Configuration["PORT"] ?? SettingsTable.DefaultPort}");
    }
}

internal sealed class SettingsException(IReadOnlyList<string> problems)
    : Exception("ChatBackend cannot start:\n" + string.Join('\n', problems.Select(p => $"  {p}")) + "\n`ChatBackend check` shows every setting.");
