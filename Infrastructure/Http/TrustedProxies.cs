using System.Net;
using Microsoft.AspNetCore.HttpOverrides;

namespace ChatBackend.Infrastructure.Http;

/// <summary>The proxies whose headers with the client's address are trusted. Anyone can send such headers, so those of other peers are ignored.</summary>
internal static class TrustedProxies
{
    private const string Variable = "TRUSTED_PROXIES";

    /// <summary>Where Railway's edge connects from.</summary>
    public const string OfRailway = "100.64.0.0/10";

    private const string RealIp = "X-Real-IP";

    public static void UseTrustedProxies(this WebApplication app)
    {
        // Railway sets this variable in every service. Its edge sends the address in X-Real-IP; X-Forwarded-For is not documented.
        var isOnRailway = app.Configuration["RAILWAY_ENVIRONMENT_ID"] is { Length: > 0 };
        if (!TryParse(app.Configuration[Variable] ?? (isOnRailway ? OfRailway : ""), out var networks) || networks.Count == 0)
            return;

        app.UseWhen(
            context => isOnRailway || !context.Request.Headers.ContainsKey(ForwardedHeadersDefaults.XForwardedForHeaderName),
            branch => branch.UseForwardedHeaders(Believe(RealIp)));
        if (!isOnRailway)
            app.UseForwardedHeaders(Believe(ForwardedHeadersDefaults.XForwardedForHeaderName));

        ForwardedHeadersOptions Believe(string header)
        {
            // No hop limit: addresses are read from the last one up to the first that is not a trusted proxy.
            var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardedForHeaderName = header, ForwardLimit = null };
            options.KnownProxies.Clear();
            options.KnownIPNetworks.Clear();
            foreach (var network in networks)
                options.KnownIPNetworks.Add(network);
            return options;
        }
    }

    /// <summary>Reads networks such as <c>10.0.0.0/8</c>, comma-separated; a single address is a network of one.</summary>
    public static bool TryParse(string value, out IReadOnlyList<System.Net.IPNetwork> networks)
    {
        var parts = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        networks = [.. parts.Select(Network).OfType<System.Net.IPNetwork>()];
        return networks.Count == parts.Length;
    }

    private static System.Net.IPNetwork? Network(string text) =>
        IPAddress.TryParse(text, out var address) ? new(address, address.GetAddressBytes().Length * 8)
        : System.Net.IPNetwork.TryParse(text, out var network) ? network
        : null;
}
