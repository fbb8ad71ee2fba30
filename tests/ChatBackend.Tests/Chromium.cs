using Microsoft.Playwright;

namespace ChatBackend.Tests;

/// <summary>Debian's Chromium, for tests of a page.</summary>
internal static class Chromium
{
    private static readonly string? Executable =
        new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);

    public static bool IsInstalled => Executable is not null;

    /// <summary>Skips the test if Chromium is not installed.</summary>
    public static void SkipWhereThereIsNone() => Assert.SkipWhen(Executable is null, "Chromium is not installed (apt-get install chromium).");

    /// <summary>Starts it headless.</summary>
    public static Task<IBrowser> LaunchAsync(IPlaywright playwright, params string[] arguments) =>
        playwright.Chromium.LaunchAsync(new() { ExecutablePath = Executable, Args = ["--no-sandbox", "--disable-gpu", .. arguments] });
}
