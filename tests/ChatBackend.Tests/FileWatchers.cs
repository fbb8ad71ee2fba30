using System.Runtime.CompilerServices;

namespace ChatBackend.Tests;

/// <summary>The hosts of a test run do not watch their settings files. Each would need a watcher of its own, and Linux allows a user 128
/// (<c>fs.inotify.max_user_instances</c>).</summary>
internal static class FileWatchers
{
    [ModuleInitializer]
    internal static void TurnOff() => Environment.SetEnvironmentVariable("DOTNET_hostBuilder__reloadConfigOnChange", "false");
}
