using Microsoft.Playwright;

namespace ChatBackend.Tests;

/// <summary>Debian's Chromium, for the tests that look at a page.</summary>
internal static class Chromium
{
    private static readonly string? Executable =
        new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);

    /// <summary>Skips the test, saying so, where there is none.</summary>
    public static void SkipWhereThereIsNone() => Assert.SkipWhen(Executable is null, "There is no Chromium on this machine (apt-get install chromium).");

    /// <summary>Starts it without a window.</summary>
    public static Task<IBrowser> LaunchAsync(IPlaywright playwright, params string[] arguments) =>
        playwright.Chromium.LaunchAsync(new() { ExecutablePath = Executable, Args = ["--no-sandbox", "--disable-gpu", .. arguments] });
}
