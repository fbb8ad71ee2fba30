using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using ChatBackend.Tests.Infrastructure.Docusaurus;

namespace ChatBackend.Tests.Features.Chat.AiSdk;

/// <summary>Clients of npm with Node 22, installed once into a folder outside of the repository.</summary>
internal static class NpmClients
{
    private static readonly string Cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "chatbackend-tests");

    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(3);

    /// <summary>npm's package of Node itself: newer clients do not run with what a system has.</summary>
    private static readonly string Node =
        $"node-{(OperatingSystem.IsMacOS() ? "darwin" : "linux")}-{(RuntimeInformation.ProcessArchitecture is Architecture.Arm64 ? "arm64" : "x64")}";

    // Classes of tests that run at once install them one after the other.
    private static readonly SemaphoreSlim Installing = new(1);

    /// <summary>Runs a module of the tests and returns what it printed. Skips the test where npm cannot install the packages.</summary>
    /// <param name="packages">As <c>npm install</c> takes them: <c>openai@6.49.0</c>.</param>
    /// <param name="module">The path of the module in the repository.</param>
    /// <param name="seen">Called with each line that the module prints, as it is printed.</param>
    public static async Task<IReadOnlyList<string>> RunAsync(string[] packages, string module, string[] arguments, Action<string>? seen = null)
    {
        var folder = await InstallAsync([$"{Node}@22", .. packages]);
        Assert.SkipWhen(folder is null, "npm could not install the clients.");

        // A module finds its packages in a folder above itself.
        var copy = Path.Combine(folder, $"{Guid.NewGuid():N}.mjs");
        File.Copy(Path.Combine(Repository.Root, module), copy);
        using var process = new Process
        {
            StartInfo = new(Path.Combine(folder, "node_modules", Node, "bin", "node"), [copy, .. arguments])
            {
                WorkingDirectory = folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            },
        };
        using var late = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        late.CancelAfter(LongestRun);
        process.Start();
        try
        {
            var errors = process.StandardError.ReadToEndAsync(late.Token);
            var lines = new List<string>();
            while (await process.StandardOutput.ReadLineAsync(late.Token) is { } line)
            {
                lines.Add(line);
                seen?.Invoke(line);
            }

            await process.WaitForExitAsync(late.Token);
            Assert.True(process.ExitCode == 0, $"{string.Join('\n', lines)}\n{await errors}");
            return lines;
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            File.Delete(copy);
        }
    }

    /// <summary>The folder with the packages; null if npm fails.</summary>
    private static async Task<string?> InstallAsync(string[] packages)
    {
        var folder = Path.Combine(Cache, $"npm-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(' ', packages))))[..16]}");
        await Installing.WaitAsync();
        try
        {
            if (Directory.Exists(folder))
                return folder;
            var unfinished = Path.Combine(Cache, $"{Guid.NewGuid():N}");
            Directory.CreateDirectory(unfinished);
            await File.WriteAllTextAsync(Path.Combine(unfinished, "package.json"), "{}");
            var (code, _) = await BuiltSite.RunAsync(
                unfinished, "npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", .. packages], TimeSpan.FromMinutes(5));
            if (code == 0 && !Directory.Exists(folder))
                Directory.Move(unfinished, folder);
            else
                Directory.Delete(unfinished, recursive: true);
            return Directory.Exists(folder) ? folder : null;
        }
        finally
        {
            Installing.Release();
        }
    }
}
