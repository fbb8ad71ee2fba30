using System.Net;
using System.Net.Sockets;

namespace ChatBackend.Infrastructure.Http;

/// <summary>The client's IP address, for rate limits. It is neither logged nor stored.</summary>
internal static class ClientAddress
{
    /// <summary>The peer's address, or the one that a trusted proxy forwarded; for IPv6, the /64 network.</summary>
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
