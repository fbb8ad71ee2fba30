using System.Diagnostics;

namespace ChatBackend.Tests.Features.Home;

/// <summary>What a newcomer sees first of <c>./dev run</c>. A folder of its own and a <c>dotnet</c> that does nothing stand for the real ones.</summary>
public sealed class DevScriptTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dev").FullName;

    [Theory]
    [InlineData(null, null, "8000")]
    [InlineData(null, "# PORT=1\nexport PORT='8123'\n", "8123")]
    [InlineData("8124", "PORT=8123\n", "8124")]
    public async Task The_address_comes_first(string? port, string? settings, string shown)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "./dev is a script of bash.");
        File.Copy(Path.Combine(Repository.Root, "dev"), Path.Combine(_folder, "dev"));
        var dotnet = Path.Combine(_folder, "dotnet");
        await File.WriteAllTextAsync(dotnet, "#!/bin/sh\n", TestContext.Current.CancellationToken);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(dotnet, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        if (settings is not null)
            await File.WriteAllTextAsync(Path.Combine(_folder, ".env"), settings, TestContext.Current.CancellationToken);

        var start = new ProcessStartInfo("bash", [Path.Combine(_folder, "dev"), "run"]) { RedirectStandardError = true };
        start.Environment["PATH"] = $"{_folder}:{start.Environment["PATH"]}";
        start.Environment["DATABASE_URL"] = "postgres://localhost/book";
        start.Environment["PORT"] = port;
        using var run = Process.Start(start)!;
        var said = await run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(0, run.ExitCode);
        Assert.StartsWith($"ChatBackend will be on http://localhost:{shown}\n", said);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
