
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

        var shutdown = builder.BindOptions<ShutdownOptions>("Shutdown");
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = shutdown.Timeout);
        // [::] is every interface, including IPv6: Railway's private network uses IPv6.
        builder.WebHost.UseUrls($"http://[::]:{builder.Configuration["PORT"] ?? SettingsTable.DefaultPort}");
    }

    /// <summary>Binds an options class to its section, or to the environment variables that its properties name, and validates it at start.</summary>
    /// <returns>The values, for choices before the start.</returns>
    /// <exception cref="SettingsException">A value is not of its property's type.</exception>
    public static T BindOptions<T>(this WebApplicationBuilder builder, string? section = null) where T : class, new()
    {
        IConfiguration source = section is null ? builder.Configuration : builder.Configuration.GetSection(section);
        builder.Services.AddOptions<T>().Bind(source).ValidateDataAnnotations().ValidateOnStart();
        try
        {
            return source.Get<T>() ?? new();
        }
        catch (InvalidOperationException e)
        {
            throw new SettingsException([e.Message]);
        }
    }
}

internal sealed class SettingsException(IReadOnlyList<string> problems)
    : Exception("ChatBackend cannot start:\n" + string.Join('\n', problems.Select(p => $"  {p}")) + "\n`ChatBackend check` shows every setting.");
