using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ChatBackend.Tests;

/// <summary>The built program in its own process, as an operator runs it; killed at the end of the test.</summary>
internal sealed class ServiceProcess : IAsyncDisposable
{
    private const int Terminate = 15;

    private static int _lastPort = Random.Shared.Next(6_000);

    private readonly Process _process;
    private readonly List<string> _output = [];

    private ServiceProcess(Process process, int port)
    {
        _process = process;
        Client = new() { BaseAddress = new($"http://127.0.0.1:{port}") };
    }

    public HttpClient Client { get; }

    /// <summary>Standard output and standard error so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return string.Join('\n', _output);
        }
    }

    public bool HasExited => _process.HasExited;

    /// <summary>The peak memory (working set) so far, in bytes.</summary>
    public long PeakMemory
    {
        get
        {
            _process.Refresh();
            return _process.PeakWorkingSet64;
        }
    }

    /// <summary>The memory (working set) now, in bytes.</summary>
    public long Memory
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Starts the program with these settings.</summary>
    /// <param name="arguments">A command such as <c>check</c>; without one the service runs.</param>
    public static ServiceProcess Start(Dictionary<string, string> settings, params string[] arguments)
    {
        var port = FreePort();
        var program = Path.Combine(AppContext.BaseDirectory, "ChatBackend.dll");
        var start = new ProcessStartInfo("dotnet", [program, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Repository.Root,
        };
        start.Environment["PORT"] = port.ToString();
        foreach (var (name, value) in settings)
            start.Environment[name] = value;

        var process = new Process { StartInfo = start };
        var service = new ServiceProcess(process, port);
        process.OutputDataReceived += service.Keep;
        process.ErrorDataReceived += service.Keep;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return service;
    }

    /// <summary>Waits until the service and all its dependencies are ready.</summary>
    public Task WaitUntilReadyAsync() => WaitUntilAsync("/health/ready", body: "\"status\":\"ready\"");

    /// <summary>Waits until <c>/health</c> returns 200.</summary>
    public Task WaitUntilAliveAsync() => WaitUntilAsync("/health");

    /// <summary>Sends SIGKILL: the program cannot clean up.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Sends SIGTERM, as platforms do.</summary>
    public void Stop() => Assert.Equal(0, SendSignal(_process.Id, Terminate));

    /// <summary>True once the server takes no new connections.</summary>
    public async Task<bool> RefusesConnectionsAsync()
    {
        using var client = new HttpClient { BaseAddress = Client.BaseAddress };
        try
        {
            await client.GetAsync("/health");
            return false;
        }
        catch (HttpRequestException)
        {
            return true;
        }
    }

    /// <summary>Waits for the process to end; returns its exit code.</summary>
    public async Task<int> WaitForExitAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Client.Dispose();
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int process, int signal);

    /// <summary>A port below those that the system gives to sockets that ask for any (from 32768 on Linux, from 16000 in gVisor): one of these may go
    /// to another test's socket before the program listens on it.</summary>
    internal static int FreePort()
    {
        while (true)
        {
            var port = 10_000 + (int)((uint)Interlocked.Increment(ref _lastPort) % 6_000);
            try
            {
                using var listener = TcpListener.Create(port);
                listener.Start();
                return port;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse)
            {
                // The next one may be free.
            }
        }
    }

    private Task WaitUntilAsync(string path, string body = "") => Until.TrueAsync(
        async () =>
        {
            Assert.False(_process.HasExited, $"The service has exited:\n{Output}");
            try
            {
                using var response = await Client.GetAsync(path);
                return response.StatusCode == HttpStatusCode.OK && (await response.Content.ReadAsStringAsync()).Contains(body, StringComparison.Ordinal);
            }
            catch (HttpRequestException)
            {
                return false;
            }
        },
        () => $"The service did not start:\n{Output}",
        TimeSpan.FromMinutes(5));

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        lock (_output)
        {
            if (line.Data is not null)
                _output.Add(line.Data);
        }
    }
}
