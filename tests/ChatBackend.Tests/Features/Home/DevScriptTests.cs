using System.Diagnostics;

namespace ChatBackend.Tests.Features.Home;

/// <summary>The addresses that <c>./dev</c> names. A folder of its own and programs that do nothing stand for the real ones.</summary>
public sealed class DevScriptTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dev").FullName;

    [Theory]
    [InlineData(null, null, "8000")]
    [InlineData(null, "# PORT=1\nexport PORT='8123'\n", "8123")]
    [InlineData("8124", "PORT=8123\n", "8124")]
    public async Task The_address_comes_first(string? port, string? settings, string shown)
    {
        Place("dotnet", "");
        if (settings is not null)
            await File.WriteAllTextAsync(Path.Combine(_folder, ".env"), settings, TestContext.Current.CancellationToken);

        Assert.StartsWith($"ChatBackend will be on http://localhost:{shown}\n", await RunAsync(["run"], ("DATABASE_URL", "postgres://localhost/book"), ("PORT", port)));
    }

    [Theory]
    [InlineData("3000")]
    [InlineData("3001", "--port", "3001")]
    [InlineData("3001", "-p", "3001", "--host", "0.0.0.0")]
    [InlineData("3001", "--port=3001")]
    public async Task The_site_is_named_with_the_port_that_it_is_served_on(string shown, params string[] options)
    {
        Place("npm", "");
        Place("node", "case $* in --version) echo v22.0.0 ;; *serve*) echo \"$*\" >served ;; esac");
        var site = Directory.CreateDirectory(Path.Combine(_folder, "sample-site")).FullName;

        Assert.Contains($"The site is on http://localhost:{shown}.", await RunAsync(["site", .. options]), StringComparison.Ordinal);

        Assert.EndsWith($"serve --port 3000 --no-open {string.Join(' ', options)}".TrimEnd(), (await File.ReadAllTextAsync(Path.Combine(site, "served"), TestContext.Current.CancellationToken)).TrimEnd());
    }

    /// <summary>Puts a program where the script finds it first.</summary>
    private void Place(string name, string script)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "./dev is a script of bash.");
        var file = Path.Combine(_folder, name);
        File.WriteAllText(file, $"#!/bin/sh\n{script}\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    /// <summary>Runs the script to its end and returns what it says.</summary>
    private async Task<string> RunAsync(string[] arguments, params (string Name, string? Value)[] environment)
    {
        File.Copy(Path.Combine(Repository.Root, "dev"), Path.Combine(_folder, "dev"));
        var start = new ProcessStartInfo("bash", [Path.Combine(_folder, "dev"), .. arguments]) { RedirectStandardError = true };
        start.Environment["PATH"] = $"{_folder}:{start.Environment["PATH"]}";
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var run = Process.Start(start)!;
        var said = await run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, run.ExitCode);
        return said;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
