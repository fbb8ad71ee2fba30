using System.Net;
using System.Net.Sockets;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Who shares a rate limit: the client's IP address, which <see cref="TrustedProxies"/> decides. It is neither logged nor stored.</summary>
internal static class RateLimitKey
{
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
