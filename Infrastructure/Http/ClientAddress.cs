using System.Net;
using System.Net.Sockets;

namespace ChatBackend.Infrastructure.Http;

/// <summary>The address of who really asks, for limits.</summary>
internal static class ClientAddress
{
    /// <summary>
    /// The peer's address, or what the proxy in front says in <c>X-Real-IP</c> (Railway's edge sets it). A proxy is
    /// believed only when it connects from a private network: a client on the internet cannot pose as one.
    /// </summary>
    public static string Of(HttpContext context)
    {
        var peer = context.Connection.RemoteIpAddress ?? IPAddress.None;
        if (peer.IsIPv4MappedToIPv6)
            peer = peer.MapToIPv4();

        return IsPrivate(peer) && IPAddress.TryParse(context.Request.Headers["X-Real-IP"], out var told)
            ? Subscriber(told)
            : Subscriber(peer);
    }

    // An IPv6 subscriber has a whole /64: counting single addresses would give each of them 2^64 budgets.
    private static string Subscriber(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return address.AddressFamily is AddressFamily.InterNetworkV6
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
            : address.ToString();
    }

    private static bool IsPrivate(IPAddress address) =>
        IPAddress.IsLoopback(address) || Private.Any(network => network.Contains(address));

    private static readonly IPNetwork[] Private =
    [
        IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.168.0.0/16"),
        IPNetwork.Parse("100.64.0.0/10"), IPNetwork.Parse("169.254.0.0/16"), IPNetwork.Parse("fc00::/7"), IPNetwork.Parse("fe80::/10"),
    ];
}
