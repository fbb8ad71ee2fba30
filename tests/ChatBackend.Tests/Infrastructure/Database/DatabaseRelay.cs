using System.Net;
using System.Net.Sockets;
using System.Text;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Database;

/// <summary>
/// A proxy between a service and PostgreSQL that fails like a network: it cuts all connections and refuses new ones, cuts a connection
/// before a statement reaches the server, or after the server has run it but before the reply comes back.
/// </summary>
internal sealed class DatabaseRelay : IAsyncDisposable
{
    private NpgsqlConnectionStringBuilder _server;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _closing = new();
    private readonly List<Link> _links = [];
    private readonly List<string> _losing = [];
    private readonly Task _accepting;
    private volatile bool _isRefusing;
    private volatile string? _dropping;
    private int _refused;
    private int _lost;
    private int _dropped;

    public DatabaseRelay(string connectionString)
    {
        _server = new(connectionString);
        _listener.Start();
        _accepting = AcceptAsync();
        ConnectionString = new NpgsqlConnectionStringBuilder(connectionString) { Port = ((IPEndPoint)_listener.LocalEndpoint).Port, Pooling = true }.ConnectionString;
    }

    /// <summary>The same database, through the relay.</summary>
    public string ConnectionString { get; }

    /// <summary>How many connections were refused.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>How many replies were lost.</summary>
    public int Lost => Volatile.Read(ref _lost);

    /// <summary>How many statements did not reach the server.</summary>
    public int Dropped => Volatile.Read(ref _dropped);

    /// <summary>Makes the server unavailable: closes every connection and refuses new ones.</summary>
    public void Refuse()
    {
        _isRefusing = true;
        lock (_links)
            _links.ForEach(l => l.Cut());
    }

    /// <summary>Makes the server available again.</summary>
    public void Allow() => _isRefusing = false;

    /// <summary>Closes every connection, and passes new ones to another server.</summary>
    public void MoveTo(string connectionString)
    {
        Refuse();
        _server = new(connectionString);
        Allow();
    }

    /// <summary>The server runs the next statement that contains this text, and its reply is lost.</summary>
    public void LoseAnswerTo(string statement)
    {
        lock (_losing)
            _losing.Add(statement);
    }

    /// <summary>Statements that contain this text no longer reach the server; null lets all through again.</summary>
    public void Drop(string? statement) => _dropping = statement;

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        Refuse();
        _listener.Stop();
        await _accepting;
        _closing.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_closing.Token);
                if (_isRefusing)
                {
                    Interlocked.Increment(ref _refused);
                    client.Close();
                    continue;
                }

                var link = new Link(client, new TcpClient());
                lock (_links)
                    _links.Add(link);
                _ = RunAsync(link);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The relay is being disposed.
        }
    }

    private async Task RunAsync(Link link)
    {
        try
        {
            await link.Server.ConnectAsync(_server.Host!, _server.Port);
            await Task.WhenAny(AskAsync(link), AnswerAsync(link));
        }
        catch (SocketException)
        {
            // No server: the client sees its connection close.
        }
        finally
        {
            link.Cut();
        }
    }

    private async Task AskAsync(Link link)
    {
        var buffer = new byte[64 * 1024];
        while (await Link.ReadAsync(link.Client, buffer) is > 0 and var count)
        {
            var text = Encoding.UTF8.GetString(buffer, 0, count);
            if (_dropping is { } dropping && text.Contains(dropping, StringComparison.Ordinal))
            {
                Interlocked.Increment(ref _dropped);
                return;
            }

            lock (_losing)
            {
                if (_losing.Find(s => text.Contains(s, StringComparison.Ordinal)) is { } statement)
                {
                    _losing.Remove(statement);
                    link.LosesAnswer = true;
                }
            }

            await link.Server.GetStream().WriteAsync(buffer.AsMemory(0, count));
        }
    }

    private async Task AnswerAsync(Link link)
    {
        var buffer = new byte[64 * 1024];
        while (await Link.ReadAsync(link.Server, buffer) is > 0 and var count)
        {
            // The server replies when it is done, so it has committed.
            if (link.LosesAnswer)
            {
                Interlocked.Increment(ref _lost);
                return;
            }

            await link.Client.GetStream().WriteAsync(buffer.AsMemory(0, count));
        }
    }

    private sealed class Link(TcpClient client, TcpClient server)
    {
        public TcpClient Client { get; } = client;

        public TcpClient Server { get; } = server;

        public volatile bool LosesAnswer;

        public static async Task<int> ReadAsync(TcpClient from, byte[] buffer)
        {
            try
            {
                return await from.GetStream().ReadAsync(buffer);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
            {
                return 0;
            }
        }

        public void Cut()
        {
            Client.Close();
            Server.Close();
        }
    }
}
