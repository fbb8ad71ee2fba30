using System.Security.Cryptography;
using System.Text;
using ChatBackend.Tests.Infrastructure.Docusaurus;

namespace ChatBackend.Tests.Features.Chat.Mcp;

/// <summary>Packages of npm, installed once into a folder outside of the repository, and programs that use them.</summary>
internal static class NpmPackages
{
    private static readonly string Cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "chatbackend-tests");

    // Classes of tests that run at once install them once.
    private static readonly SemaphoreSlim Installing = new(1);

    /// <summary>Runs an ECMAScript module with Node, and returns what it prints. The test is skipped where there is no Node 20 or npm cannot install the packages.</summary>
    /// <param name="packages">Each with its version: <c>ajv@8.20.0</c>.</param>
    public static async Task<string> RunAsync(string[] packages, string script, params string[] arguments)
    {
        Assert.SkipUnless(
            await BuiltSite.RunAsync(Path.GetTempPath(), "node", ["--version"], TimeSpan.FromSeconds(30)) is (0, var version) && BuiltSite.IsNewEnough(version),
            "Node 20 or newer is not installed.");
        var folder = await InstallAsync(packages);
        Assert.SkipWhen(folder is null, $"npm could not install {string.Join(' ', packages)}.");

        // A module finds its packages beside itself.
        var file = Path.Combine(folder, $"{Guid.NewGuid():N}.mjs");
        await File.WriteAllTextAsync(file, script);
        try
        {
            var (code, output) = await BuiltSite.RunAsync(folder, "node", [file, .. arguments], TimeSpan.FromMinutes(2));
            Assert.True(code == 0, output);
            return output;
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<string?> InstallAsync(string[] packages)
    {
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(' ', packages))))[..16];
        var folder = Path.Combine(Cache, $"npm-{name}");
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
