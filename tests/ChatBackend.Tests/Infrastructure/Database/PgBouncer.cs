using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Database;

/// <summary>
/// Debian's PgBouncer in front of the tests' PostgreSQL. In transaction mode a client connection gets another server
/// connection for every transaction and shares it with others.
/// </summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private static readonly string? Executable =
        new[] { "/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer" }.FirstOrDefault(File.Exists);

    private readonly string _folder;
    private readonly Process _process;

    private PgBouncer(string folder, Process process, string connectionString)
    {
        _folder = folder;
        _process = process;
        ConnectionString = connectionString;
    }

    /// <summary>The same database, through the pooler.</summary>
    public string ConnectionString { get; }

    /// <summary>Skips the test if PgBouncer is not installed.</summary>
    public static void SkipWhereThereIsNone() => Assert.SkipWhen(Executable is null, "PgBouncer is not installed (apt-get install pgbouncer).");

    /// <summary>Skips the test if PgBouncer is not installed, or older than the one that carries prepared statements from one server connection to another.</summary>
    public static void SkipWhereItDoesNotCarryStatements()
    {
        SkipWhereThereIsNone();
        Assert.SkipUnless(CarriesStatements, "PgBouncer is older than 1.21 and does not carry prepared statements in transaction mode.");
    }

    private static bool CarriesStatements { get; } = Executable is not null && VersionOf(Executable) >= new Version(1, 21);

    /// <summary>Starts a pooler.</summary>
    /// <param name="database">Npgsql keywords for the database behind it.</param>
    /// <param name="mode">transaction, or session: a client connection keeps its server connection.</param>
    /// <param name="carriesStatements">Whether prepared statements work in transaction mode. <see cref="SkipWhereItDoesNotCarryStatements"/>.</param>
    /// <param name="serverConnections">How many connections it opens to the server; choose fewer than there are clients, so that they must share.</param>
    public static async Task<PgBouncer> StartAsync(string database, int serverConnections, string mode = "transaction", bool carriesStatements = false)
    {
        var folder = Directory.CreateTempSubdirectory("pgbouncer").FullName;
        var server = new NpgsqlConnectionStringBuilder(database);
        var port = ServiceProcess.FreePort();
        await File.WriteAllTextAsync(Path.Combine(folder, "users.txt"), $"\"{server.Username}\" \"{server.Password}\"\n");
        await File.WriteAllTextAsync(
            Path.Combine(folder, "pgbouncer.ini"),
            $"""
            [databases]
            * = host={server.Host} port={server.Port}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {folder}/users.txt
            pool_mode = {mode}
            default_pool_size = {serverConnections}
            max_client_conn = 500
            {(CarriesStatements ? $"max_prepared_statements = {(carriesStatements ? 200 : 0)}" : "")}
            """);

        // PgBouncer does not run as root.
        var user = Environment.IsPrivilegedProcess ? "nobody" : "";
        if (user.Length > 0)
        {
            using var chown = Process.Start("chown", ["--recursive", user, folder]);
            await chown.WaitForExitAsync();
        }

        var start = new ProcessStartInfo(Executable!, [.. user.Length > 0 ? (string[])["--user", user] : [], "--quiet", Path.Combine(folder, "pgbouncer.ini")])
        {
            UseShellExecute = false,
        };
        var bouncer = new PgBouncer(
            folder, Process.Start(start)!, new NpgsqlConnectionStringBuilder(database) { Host = "127.0.0.1", Port = port, Pooling = true }.ConnectionString);
        await Until.TrueAsync(async () =>
        {
            Assert.False(bouncer._process.HasExited, "PgBouncer has exited.");
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }, "PgBouncer does not listen.");
        return bouncer;
    }

    /// <summary>Changes the mode while clients are connected.</summary>
    public async Task SetModeAsync(string mode)
    {
        var file = Path.Combine(_folder, "pgbouncer.ini");
        var settings = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, Regex.Replace(settings, "(?<=pool_mode = )[a-z]+", mode, RegexOptions.None, TimeSpan.FromSeconds(60)));
        using var reload = Process.Start("kill", ["-HUP", $"{_process.Id}"]);
        await reload.WaitForExitAsync();
    }

    private static Version VersionOf(string executable)
    {
        using var process = Process.Start(new ProcessStartInfo(executable, ["--version"]) { RedirectStandardOutput = true })!;
        return Version.Parse(process.StandardOutput.ReadLine()!.Split(' ')[1]);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
