using Spectre.Console;

namespace ChatBackend.Infrastructure.Configuration;

/// <summary>What the commands that report on a terminal or in a pipe have in common.</summary>
internal static class CommandConsole
{
    public static IAnsiConsole Open()
    {
        var console = AnsiConsole.Console;
        // In a pipe Spectre would fold lines at 80 columns.
        if (!console.Profile.Out.IsTerminal)
            console.Profile.Width = int.MaxValue;
        return console;
    }

    /// <returns>Such as "1 page" or "2 pages".</returns>
    public static string Count(int count, string noun) => $"{count} {noun}{(count == 1 ? "" : "s")}";
}
