
namespace ChatBackend.Infrastructure.Configuration;

/// <summary>The command <c>ChatBackend check</c>.</summary>
internal static class CheckCommand
{
    /// <summary>Prints one line per setting (name, state, value or default), then the problems.</summary>
    /// <returns>The exit code: 1 if the service would not start.</returns>
    public static int Run(IConfiguration configuration, bool isDevelopment, TextWriter output)
    {
        var problems = SettingsTable.Problems(configuration, isDevelopment);
        foreach (var setting in SettingsTable.All)
        {
            var (state, value) = Describe(setting, configuration[setting.Name], problems);
            output.WriteLine($"{setting.Name,-28} {state,-10} {value}");
        }

        output.WriteLine();
        foreach (var problem in problems)
            output.WriteLine(problem);
        if (problems.Count == 0)
        {
            foreach (var warning in SettingsTable.Warnings(configuration, isDevelopment))
                output.WriteLine($"Warning: {warning}");
        }

        var settings = isDevelopment ? "development" : "production";
        output.WriteLine(problems.Count == 0 ? $"The service would start, with {settings} settings." : $"The service would not start, with {settings} settings.");
        return problems.Count == 0 ? 0 : 1;
    }

    private static (string State, string Value) Describe(Setting setting, string? value, IReadOnlyList<string> problems) => value switch
    {
        null when problems.Any(p => p.StartsWith($"{setting.Name} is missing", StringComparison.Ordinal)) => ("missing", setting.Meaning),
        null => ("defaulted", setting.Default),
        _ when setting.Problem(value) is not null => ("malformed", setting.IsSecret ? "***" : value),
        _ => ("set", setting.IsSecret ? Masked(value) : value),
    };

    // Four characters are enough to tell two keys apart. An address may hold a password anywhere, so it is masked completely.
    private static string Masked(string value) => value.Length >= 24 && !value.Contains("://") && !value.Contains('=') ? $"***{value[^4..]}" : "***";
}
