using System.Net;
using System.Net.Sockets;

namespace ChatBackend.Infrastructure.Limits;

/// <summary>Who shares a limit: the token's subject or, without a token, the client's IP address, which <see cref="Http.TrustedProxies"/> decides.
/// Neither is logged or stored.</summary>
internal static class ClientKey
{
    public static string Of(HttpContext context) => context.User.FindFirst("sub") is { Value: var subject } ? $"user {subject}" : AddressOf(context);

    private static string AddressOf(HttpContext context)
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
