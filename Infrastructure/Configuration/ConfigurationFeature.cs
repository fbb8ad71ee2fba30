
namespace ChatBackend.Infrastructure.Configuration;

/// <summary>The settings, checked before anything uses them.</summary>
internal static class ConfigurationFeature
{
    /// <summary>
    /// Stops the start with every problem at once where a setting is missing or malformed, and listens on <c>PORT</c>.
    /// </summary>
    /// <exception cref="SettingsException">Some settings keep the service from starting.</exception>
    public static void AddSettings(this WebApplicationBuilder builder)
    {
        var problems = SettingsTable.Problems(builder.Configuration, builder.Environment.IsDevelopment());
        if (problems.Count > 0)
            throw new SettingsException(problems);

        // On every interface, IPv6 included: Railway's private network is IPv6.
        builder.WebHost.UseUrls($"http://[::]:{builder.Configuration["PORT"] ?? SettingsTable.DefaultPort}");
    }
}

/// <summary>The settings do not let the service start.</summary>
internal sealed class SettingsException(IReadOnlyList<string> problems)
    : Exception("ChatBackend cannot start:\n" + string.Join('\n', problems.Select(p => $"  {p}")) + "\n`ChatBackend check` shows every setting.");
