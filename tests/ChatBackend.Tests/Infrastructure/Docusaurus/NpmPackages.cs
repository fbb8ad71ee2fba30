using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace ChatBackend.Tests.Infrastructure.Docusaurus;

/// <summary>Packages of npm, each set installed once into a folder outside of the repository, and scripts that use them.</summary>
internal static class NpmPackages
{
    private static readonly TimeSpan LongestInstallation = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(15);

    /// <summary>npm's package of Node itself: newer clients do not run with what a system has.</summary>
    private static readonly string Node =
        $"node-{(OperatingSystem.IsMacOS() ? "darwin" : "linux")}-{(RuntimeInformation.ProcessArchitecture is Architecture.Arm64 ? "arm64" : "x64")}";

    // Classes of tests that run at once install them one after the other.
    private static readonly SemaphoreSlim Installing = new(1);

    /// <summary>The folder that holds what tests download and build, in the home folder of who runs them.</summary>
    public static string Cache { get; } = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "chatbackend-tests");

    /// <summary>Runs an ECMAScript module with Node 22 and returns the lines that it printed. Skips the test where npm cannot install the packages.</summary>
    /// <param name="packages">As <c>npm install</c> takes them: <c>openai@6.49.0</c>.</param>
    /// <param name="seen">Called with each line that the module prints, as it is printed.</param>
    public static async Task<IReadOnlyList<string>> RunAsync(string[] packages, string module, string[] arguments, Action<string>? seen = null)
    {
        var node = await InstallAsync([$"{Node}@22"]);
        var modules = await InstallAsync(packages);
        Assert.SkipWhen(node is null || modules is null, $"npm could not install Node 22 and {string.Join(' ', packages)}.");

        // A module finds its packages in a folder beside itself.
        var file = Path.Combine(modules, "..", $"{Guid.NewGuid():N}.mjs");
        await File.WriteAllTextAsync(file, module);
        using var process = new Process
        {
            StartInfo = new(Path.Combine(node, Node, "bin", "node"), [file, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true },
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
            File.Delete(file);
        }
    }

    /// <summary>The folder <c>node_modules</c> with the packages; null if there is no npm, or it fails.</summary>
    public static async Task<string?> InstallAsync(params string[] packages)
    {
        var folder = Path.Combine(Cache, $"npm-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(' ', packages))))[..16]}");
        await Installing.WaitAsync();
        try
        {
            if (!Directory.Exists(folder))
            {
                var unfinished = Path.Combine(Cache, $"{Guid.NewGuid():N}");
                Directory.CreateDirectory(unfinished);
                await File.WriteAllTextAsync(Path.Combine(unfinished, "package.json"), "{}");
                var (code, _) = await BuiltSite.RunAsync(unfinished, "npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", .. packages], LongestInstallation);
                if (code == 0 && !Directory.Exists(folder))
                    Directory.Move(unfinished, folder);
                else
                    Directory.Delete(unfinished, recursive: true);
            }

            return Directory.Exists(folder) ? Path.Combine(folder, "node_modules") : null;
        }
        finally
        {
            Installing.Release();
        }
    }
}
