using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using ChatBackend.Bench.Scenarios;

namespace ChatBackend.Bench;

/// <summary>The service under load: a process of its own, as in production, or one that runs already.</summary>
internal sealed class Service : IAsyncDisposable
{
    private readonly Process? _process;

    private Service(HttpClient client, Process? process) => (Client, _process) = (client, process);

    public HttpClient Client { get; }

    /// <summary>Null where none was started.</summary>
    public int? ProcessId => _process?.Id;

    /// <summary>From the start of the process to the first 200 from <c>GET /health</c>.</summary>
    public TimeSpan FirstAnswer { get; private set; }

    /// <param name="settings">More than, or instead of, those that every scenario has.</param>
    public static async Task<Service> StartAsync(BenchOptions options, Dictionary<string, string>? settings = null)
    {
        var port = FreePort();
        var started = Stopwatch.GetTimestamp();
        var process = options.Url is null ? Start(options, port, settings ?? []) : null;
        var handler = new SocketsHttpHandler { PooledConnectionLifetime = Timeout.InfiniteTimeSpan };
        var client = new HttpClient(handler) { BaseAddress = options.Url ?? new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(60) };
        var service = new Service(client, process);
        await AnswersAsync("/health", TimeSpan.FromMilliseconds(2));
        service.FirstAnswer = Stopwatch.GetElapsedTime(started);
        await AnswersAsync("/health/ready", TimeSpan.FromMilliseconds(100));
        return service;

        async Task AnswersAsync(string path, TimeSpan pause)
        {
            while (true)
            {
                try
                {
                    using var response = await client.GetAsync(path);
                    if (response.IsSuccessStatusCode)
                        return;
                }
                catch (HttpRequestException)
                {
                    // Not listening yet.
                }

                if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(60) || process?.HasExited is true)
                    throw new InvalidOperationException("The service did not become ready.");
                await Task.Delay(pause);
            }
        }
    }

    /// <summary>VmRSS of the process that was started, in MB; null where there is none.</summary>
    public double? ResidentMegabytes()
    {
        _process?.Refresh();
        return _process?.WorkingSet64 / 1e6;
    }

    /// <summary>VmHWM of the process that was started, in MB; null where there is none.</summary>
    public double? PeakMegabytes()
    {
        _process?.Refresh();
        return _process?.PeakWorkingSet64 / 1e6;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (_process is null)
            return;
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static Process Start(BenchOptions options, int port, Dictionary<string, string> settings)
    {
        var root = FindRoot();
        var dll = options.Program ?? Path.Combine(root, "bin", "Release", "net10.0", "ChatBackend.dll");
        if (!File.Exists(dll))
            throw new InvalidOperationException($"Build the service first: dotnet build -c Release {Path.Combine(root, "ChatBackend.csproj")}");
        var start = new ProcessStartInfo("dotnet", [dll])
        {
            WorkingDirectory = root,
            // Its log is one line a request: written, as in production, and read by nobody.
            RedirectStandardOutput = true,
            UseShellExecute = false,
            Environment =
            {
                // As in the image.
                ["ASPNETCORE_ENVIRONMENT"] = "Production",
                ["DOTNET_JitHostMaxSlabCache"] = "0",
                ["DATABASE_URL"] = options.Database,
                ["AI_PROVIDER"] = "offline",
                ["SAMPLE_BOOK"] = "on",
                ["PORT"] = $"{port}",
                ["RATE_LIMIT_CHAT"] = "0",
                ["RATE_LIMIT_SEARCH"] = "0",
                ["AUTH_SECRET"] = SignIn.Secret,
            },
        };
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        var process = Process.Start(start)!;
        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        return process;
    }

    public static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "ChatBackend.csproj")))
                return folder.FullName;
        }

        throw new InvalidOperationException("The bench must run from within the repository.");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
