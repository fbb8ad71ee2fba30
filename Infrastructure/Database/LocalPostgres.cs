using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Dapper;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>A private PostgreSQL for development and tests, from the installed binaries, with its own folder, port (on 127.0.0.1)
/// and password. If this process is killed, the server keeps running and the next start uses it.</summary>
/// <param name="folder">Where the server keeps its files; <c>postgres/</c> in it is the data directory.</param>
/// <param name="extraOptions">More <c>-c name=value</c> options for the server.</param>
internal sealed class LocalPostgres(string folder, ILogger log, params IReadOnlyList<string> extraOptions) : IAsyncDisposable
{
    private const string User = "chatbackend";
    private const int Attempts = 20;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly string _data = Path.Combine(folder, "postgres");
    private readonly string _passwordFile = Path.Combine(folder, "postgres.password");
    private readonly string _ownerFile = Path.Combine(folder, "postgres.owner");
    private string? _connectionString;
    private bool _isOwner;

    public LocalPostgres(IHostEnvironment environment, ILogger<LocalPostgres> log)
        : this(Path.Combine(environment.ContentRootPath, ".data"), log)
    {
    }

    /// <summary>Available after <see cref="StartAsync"/>.</summary>
    public string ConnectionString => _connectionString ?? throw new InvalidOperationException("The private PostgreSQL has not been started.");

    /// <summary>Starts the server, or uses one that already runs on the folder. The first start creates the folder.</summary>
    /// <exception cref="LocalPostgresException">There are no binaries, or the server does not start. The message says what to do.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var password = await PasswordAsync(cancellationToken);
        if (!File.Exists(Path.Combine(_data, "PG_VERSION")))
            await InitializeAsync(cancellationToken);

        for (var attempt = 1; ; attempt++)
        {
            try
            {
                _connectionString = await StartOrTakeOverAsync(password, cancellationToken);
                return;
            }
            catch (NpgsqlException e) when (e.IsTransient && attempt < Attempts)
            {
                // A server that was just killed will soon exit; one that has just started will soon accept connections.
                await Task.Delay(Pause, cancellationToken);
            }
            catch (NpgsqlException e)
            {
                throw new LocalPostgresException($"The private PostgreSQL does not answer; {Path.Combine(_data, "server.log")} may say why. {e.Message}");
            }
        }
    }

    /// <summary>Stops the server, unless another live process started it.</summary>
    public async Task StopAsync()
    {
        if (!_isOwner)
            return;
        await PostgresAsync("pg_ctl", ["-D", _data, "-m", "fast", "-w", "stop"], CancellationToken.None);
        File.Delete(_ownerFile);
        _isOwner = false;
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    /// <summary>The folder of the newest PostgreSQL binaries; null if there are none.</summary>
    public static string? FindBinaries()
    {
        IEnumerable<string> candidates =
        [
            .. Versions("/usr/lib/postgresql"), .. Versions("/usr/local/opt"), .. Versions("/opt/homebrew/opt"), .. Versions("/usr"),
            .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries),
        ];
        return candidates.FirstOrDefault(f => File.Exists(Path.Combine(f, "initdb")) && File.Exists(Path.Combine(f, "pg_ctl")));

        static IEnumerable<string> Versions(string root) => Directory.Exists(root)
            ? Directory.EnumerateDirectories(root)
                .OrderByDescending(f => int.TryParse(new string([.. Path.GetFileName(f).Where(char.IsDigit)]), out var version) ? version : 0)
                .Select(f => Path.Combine(f, "bin"))
            : [];
    }

    private async Task<string> StartOrTakeOverAsync(string password, CancellationToken cancellationToken)
    {
        DeleteStalePid();
        if (await PostgresAsync("pg_ctl", ["-D", _data, "status"], cancellationToken) is { Code: 0 })
        {
            _isOwner = !IsOwnerAlive();
            log.LogInformation("Using the private PostgreSQL that already runs on {Folder}", _data);
        }
        else
        {
            _isOwner = true;
            await StartServerAsync(cancellationToken);
        }

        if (_isOwner)
            await File.WriteAllTextAsync(_ownerFile, Environment.ProcessId.ToString(), cancellationToken);

        // The fourth line of postmaster.pid is the port (PostgreSQL source, miscadmin.h).
        var port = int.Parse((await File.ReadAllLinesAsync(Path.Combine(_data, "postmaster.pid"), cancellationToken))[3]);
        var settings = new NpgsqlConnectionStringBuilder { Host = "127.0.0.1", Port = port, Username = User, Password = password, Database = "postgres" };
        await CreateDatabaseAsync(settings.ConnectionString, cancellationToken);
        settings.Database = User;
        return settings.ConnectionString;
    }

    private async Task<string> PasswordAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(_passwordFile))
        {
            await File.WriteAllTextAsync(_passwordFile, RandomNumberGenerator.GetHexString(32, lowercase: true), cancellationToken);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(_passwordFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        return await File.ReadAllTextAsync(_passwordFile, cancellationToken);
    }

    private async Task InitializeAsync(CancellationToken cancellationToken)
    {
        log.LogInformation("Making a private PostgreSQL in {Folder}", _data);
        // The server is made in another folder and moved when it is complete, so a kill leaves no half-made server.
        var making = _data + ".making";
        if (Directory.Exists(making))
            Directory.Delete(making, recursive: true);
        Directory.CreateDirectory(making);
        var passwordCopy = making + ".password";
        File.Copy(_passwordFile, passwordCopy, overwrite: true);
        if (Environment.IsPrivilegedProcess)
            Require(await RunAsync("chown", [ServerUser, making, passwordCopy], cancellationToken), "chown");

        Require(
            await PostgresAsync(
                "initdb",
                ["-D", making, "-U", User, "--pwfile", passwordCopy, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"],
                cancellationToken),
            "initdb");
        File.Delete(passwordCopy);
        Directory.Move(making, _data);
    }

    private async Task StartServerAsync(CancellationToken cancellationToken)
    {
        // Another process may take the free port before the server does; then the next port is tried.
        for (var attempt = 1; ; attempt++)
        {
            string[] options = ["listen_addresses=127.0.0.1", $"port={FreePort()}", "unix_socket_directories=", .. extraOptions];
            var started = await PostgresAsync(
                "pg_ctl",
                ["-D", _data, "-w", "-t", "60", "-l", Path.Combine(_data, "server.log"), "-o", string.Join(' ', options.Select(o => $"-c {o}")), "start"],
                cancellationToken);
            if (started.Code == 0)
                return;
            if (attempt == 3)
                throw new LocalPostgresException($"The private PostgreSQL does not start; {Path.Combine(_data, "server.log")} says why. {started.Output}");
        }
    }

    private static async Task CreateDatabaseAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        var exists = await connection.ExecuteScalarAsync<bool>(new(
            "select exists (select from pg_database where datname = @User)", new { User }, cancellationToken: cancellationToken));
        if (!exists)
            await connection.ExecuteAsync(new("create database chatbackend", cancellationToken: cancellationToken));
    }

    /// <summary>After a kill or a power failure, postmaster.pid may name a process that is dead but not yet reaped, or that is another
    /// program by now. PostgreSQL takes both for a running server; Linux tells them apart.</summary>
    private void DeleteStalePid()
    {
        var file = Path.Combine(_data, "postmaster.pid");
        if (!OperatingSystem.IsLinux() || !File.Exists(file))
            return;

        // "246 (postgres) S 1 ...": the program's name, then its state.
        var state = "";
        try
        {
            state = File.ReadAllText($"/proc/{File.ReadLines(file).FirstOrDefault()?.Trim()}/stat");
        }
        catch (IOException)
        {
            // There is no such process.
        }

        if (!state.Contains("(postgres)", StringComparison.Ordinal) || state.Contains("(postgres) Z", StringComparison.Ordinal))
            File.Delete(file);
    }

    private bool IsOwnerAlive()
    {
        if (!File.Exists(_ownerFile) || !int.TryParse(File.ReadAllText(_ownerFile), out var owner) || owner == Environment.ProcessId)
            return false;
        try
        {
            using var process = Process.GetProcessById(owner);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>PostgreSQL refuses to run as root; its distribution package creates a user for it.</summary>
    private static string ServerUser =>
        File.Exists("/etc/passwd") && File.ReadLines("/etc/passwd").Any(l => l.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";

    private async Task<(int Code, string Output)> PostgresAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var binaries = FindBinaries() ?? throw new LocalPostgresException(
            "PostgreSQL is not installed. ./dev run installs it (Debian: apt-get install postgresql), or set DATABASE_URL to a server of yours.");
        var command = Path.Combine(binaries, program);
        if (!Environment.IsPrivilegedProcess)
            return await RunAsync(command, arguments, cancellationToken);

        string[] asServer = ["--reuid", ServerUser, "--regid", ServerUser, "--clear-groups"];
        var reaches = await RunAsync("setpriv", [.. asServer, "test", "-x", folder], cancellationToken);
        // In a home directory that only root may enter (/root is 0700), the server gets the one capability that it needs.
        string[] pass = reaches.Code == 0 ? [] : ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"];
        return await RunAsync("setpriv", [.. asServer, .. pass, command, .. arguments], cancellationToken);
    }

    private static async Task<(int Code, string Output)> RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        using var process = new Process
        {
            StartInfo = new(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" },
        };
        process.Start();
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return (process.ExitCode, (await output + await errors).Trim());
    }

    private static void Require((int Code, string Output) run, string program)
    {
        if (run.Code != 0)
            throw new LocalPostgresException($"{program} failed: {run.Output}");
    }
}

/// <summary>The private PostgreSQL cannot be started. The message tells a developer what to do.</summary>
internal sealed class LocalPostgresException(string message) : Exception(message);
