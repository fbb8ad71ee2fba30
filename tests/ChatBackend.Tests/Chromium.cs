using Microsoft.Playwright;

namespace ChatBackend.Tests;

/// <summary>Debian's Chromium, for tests of a page.</summary>
internal static class Chromium
{
    private static readonly string? Executable =
        new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);

    /// <summary>In milliseconds.</summary>
    private const float Patience = 120_000;

    public static bool IsInstalled => Executable is not null;

    /// <summary>Skips the test if Chromium is not installed.</summary>
    public static void SkipWhereThereIsNone() => Assert.SkipWhen(Executable is null, "Chromium is not installed (apt-get install chromium).");

    /// <summary>Starts it headless. Expectations wait as long as <see cref="Until"/> does, and /dev/shm may be small.</summary>
    public static Task<IBrowser> LaunchAsync(IPlaywright playwright, params string[] arguments)
    {
        Assertions.SetDefaultExpectTimeout(Patience);
        return playwright.Chromium.LaunchAsync(
            new() { ExecutablePath = Executable, Timeout = Patience, Args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", .. arguments] });
    }

    /// <summary>A page whose actions wait as long.</summary>
    public static async Task<IPage> PatientAsync(this Task<IPage> opening)
    {
        var page = await opening;
        page.SetDefaultTimeout(Patience);
        return page;
    }
}
