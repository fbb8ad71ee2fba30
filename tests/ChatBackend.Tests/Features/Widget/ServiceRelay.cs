using System.Net;
using System.Net.Sockets;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>A proxy between a browser and a service: it cuts connections as a network does, and its address stays when the service starts again elsewhere.</summary>
internal sealed class ServiceRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<TcpClient> _connections = [];
    private readonly Task _accepting;

    public ServiceRelay()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>The service that new connections go to; null refuses them.</summary>
    public Uri? Service { get; set; }

    public Uri Address => new($"http://{_listener.LocalEndpoint}/");

    /// <summary>Cuts every connection. New ones are accepted.</summary>
    public void Cut()
    {
        lock (_connections)
        {
            _connections.ForEach(c => c.Close());
            _connections.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        Cut();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = RunAsync(await _listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The relay is being disposed.
        }
    }

    private async Task RunAsync(TcpClient browser)
    {
        using var service = new TcpClient();
        lock (_connections)
            _connections.AddRange(browser, service);
        try
        {
            if (Service is not { } address)
                return;
            await service.ConnectAsync(address.Host, address.Port);
            await Task.WhenAny(browser.GetStream().CopyToAsync(service.GetStream()), service.GetStream().CopyToAsync(browser.GetStream()));
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Cut, or there is no service: the browser sees its connection close.
        }
        finally
        {
            browser.Close();
        }
    }
}
