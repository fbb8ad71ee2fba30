using System.Net;
using System.Net.Sockets;

namespace ChatBackend.Infrastructure.Http;

/// <summary>The address of who really asks, for limits. It is not logged, and stored nowhere.</summary>
internal static class ClientAddress
{
    /// <summary>The peer's address, or what a proxy of <see cref="TrustedProxies"/> told; of IPv6 the network.</summary>
    public static string Of(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();

        // An IPv6 subscriber has a whole /64: counting single addresses would give each of them 2^64 budgets.
        return address.AddressFamily is AddressFamily.InterNetworkV6
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
            : address.ToString();
    }
}
