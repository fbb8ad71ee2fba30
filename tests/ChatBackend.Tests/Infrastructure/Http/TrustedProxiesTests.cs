using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Limits;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Http;

/// <summary>Which client a request counts for. Proxies and clients are addresses of the loopback network, 127.0.0.0/8.</summary>
public sealed class TrustedProxiesTests
{
    private const string Proxy = "127.0.0.2";
    private const string OtherProxy = "127.0.0.3";
    private const string Client = "127.0.0.9";
    private const string RealIp = "X-Real-IP";
    private const string ForwardedFor = "X-Forwarded-For";

    [Theory]
    [InlineData(RealIp)]
    [InlineData(ForwardedFor)]
    public async Task Without_trusted_proxies_no_header_is_believed(string header)
    {
        await using var app = await LimitedAsync();

        Assert.True(await IsServedAsync(app, Client, (header, "203.0.113.1")));
        Assert.False(await IsServedAsync(app, Client, (header, "203.0.113.2")));
    }

    [Theory]
    [InlineData(RealIp)]
    [InlineData(ForwardedFor)]
    public async Task Only_a_trusted_proxys_headers_are_read(string header)
    {
        await using var app = await LimitedAsync(("TRUSTED_PROXIES", $"10.0.0.0/8, {Proxy}/32"));

        Assert.True(await IsServedAsync(app, Proxy, (header, "203.0.113.1")));
        Assert.True(await IsServedAsync(app, Proxy, (header, "203.0.113.2")));
        Assert.False(await IsServedAsync(app, Proxy, (header, "203.0.113.1")));
        // A client that is not a trusted proxy counts for itself, whatever headers it sends.
        Assert.True(await IsServedAsync(app, Client, (header, "203.0.113.3")));
        Assert.False(await IsServedAsync(app, Client, (header, "203.0.113.4")));
        Assert.True(await IsServedAsync(app, Proxy, (header, "203.0.113.3")));
    }

    [Fact]
    public async Task A_chain_is_read_from_its_end_to_the_first_untrusted_address()
    {
        await using var app = await LimitedAsync(("TRUSTED_PROXIES", $"{Proxy},{OtherProxy}"));

        Assert.True(await IsServedAsync(app, Proxy, (ForwardedFor, $"198.51.100.1, 203.0.113.1, {OtherProxy}")));
        // The untrusted client can send everything before its own address, and X-Real-IP if the proxy does not set it.
        Assert.False(await IsServedAsync(app, Proxy, (ForwardedFor, $"198.51.100.2, 203.0.113.1, {OtherProxy}")));
        Assert.False(await IsServedAsync(app, Proxy, (ForwardedFor, "203.0.113.1"), (RealIp, "198.51.100.3")));
    }

    [Theory]
    [InlineData("nobody")]
    [InlineData("")]
    [InlineData("999.1.1.1")]
    public async Task An_invalid_address_counts_as_the_proxys_own(string nonsense)
    {
        await using var app = await LimitedAsync(("TRUSTED_PROXIES", Proxy));

        Assert.True(await IsServedAsync(app, Proxy, (ForwardedFor, nonsense)));
        Assert.False(await IsServedAsync(app, Proxy));
    }

    [Theory]
    [InlineData("198.51.100.9", null, null, "198.51.100.9")]
    [InlineData("172.17.0.1", null, null, "172.17.0.1")]
    [InlineData("100.64.0.5", null, null, "100.64.0.5")]
    [InlineData("100.64.0.5", "railway", null, "203.0.113.1")]
    [InlineData("100.127.255.255", "railway", null, "203.0.113.1")]
    [InlineData("100.128.0.0", "railway", null, "100.128.0.0")]
    [InlineData("198.51.100.9", "railway", null, "198.51.100.9")]
    [InlineData("172.17.0.1", "railway", null, "172.17.0.1")]
    [InlineData("fd12::1", "railway", null, "FD12000000000000")]
    [InlineData("::ffff:100.64.0.5", "railway", null, "203.0.113.1")]
    [InlineData("100.64.0.5", "railway", "172.17.0.0/16", "100.64.0.5")]
    [InlineData("172.17.0.1", "railway", "172.17.0.0/16", "203.0.113.1")]
    [InlineData("172.17.0.1", null, "172.17.0.0/16", "203.0.113.2")]
    [InlineData("fd12::1", null, "fd12::/16", "203.0.113.2")]
    public async Task A_peer_is_believed_by_its_network_on_Railway_for_X_Real_IP_alone(string peer, string? environmentId, string? proxies, string expected)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection([new("RAILWAY_ENVIRONMENT_ID", environmentId), new("TRUSTED_PROXIES", proxies)]);
        await using var app = builder.Build();
        app.Use((context, next) =>
        {
            context.Connection.RemoteIpAddress = IPAddress.Parse(peer);
            return next(context);
        });
        app.UseTrustedProxies();
        app.Run(context => context.Response.WriteAsync(ClientKey.Of(context)));
        await app.StartAsync(TestContext.Current.CancellationToken);
        using var client = new HttpClient { DefaultRequestHeaders = { { RealIp, "203.0.113.1" }, { ForwardedFor, "203.0.113.2" } } };

        Assert.Equal(expected, await client.GetStringAsync(app.Urls.First()));
    }

    [Fact]
    public async Task Two_addresses_of_one_64_share_a_budget_and_two_64s_do_not()
    {
        await using var app = await LimitedAsync(("TRUSTED_PROXIES", Proxy));

        Assert.True(await IsServedAsync(app, Proxy, (ForwardedFor, "2001:db8:1:1::1")));
        Assert.False(await IsServedAsync(app, Proxy, (ForwardedFor, "2001:db8:1:1:ffff::2")));
        Assert.True(await IsServedAsync(app, Proxy, (ForwardedFor, "2001:db8:1:2::1")));
        Assert.True(await IsServedAsync(app, Proxy, (ForwardedFor, "192.0.2.1")));
        Assert.False(await IsServedAsync(app, Proxy, (ForwardedFor, "::ffff:192.0.2.1")));
    }

    [Fact]
    public async Task No_table_keeps_a_clients_address()
    {
        await using var app = await LimitedAsync(("TRUSTED_PROXIES", Proxy), ("RATE_LIMIT_CHAT", "100"));
        foreach (var address in (string[])["203.0.113.77", "2001:db8:aaaa:bbbb::77"])
        {
            foreach (var path in (string[])["/chat", "/audits"])
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(new { message = "What is a topic?", title = "Chapter" }) };
                request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
                Assert.True((await SendAsync(app, Proxy, request, (ForwardedFor, address))).IsSuccessStatusCode);
            }
        }

        await using var connection = await app.OpenDatabaseAsync();
        var tables = (await connection.QueryAsync<string>("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")).AsList();
        Assert.Contains("turns", tables);
        foreach (var table in tables)
        {
            var rows = await connection.QueryAsync<string>($"""select lower(kept::text) from "{table}" as kept""");
            Assert.All(rows, row => Assert.DoesNotMatch(@"203\.0\.113\.77|2001:db8:aaaa:bbbb|20010db8aaaabbbb", row));
        }
    }

    /// <summary>The service with one search a minute for each client.</summary>
    private static async Task<ChatBackendApp> LimitedAsync(params (string Name, string Value)[] settings)
    {
        var app = new ChatBackendApp { ["RATE_LIMIT_SEARCH"] = "1" };
        foreach (var (name, value) in settings)
            app[name] = value;
        await app.InitializeAsync();
        return app;
    }

    /// <summary>True if the client of this request was below its limit.</summary>
    private static async Task<bool> IsServedAsync(ChatBackendApp app, string from, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/search?q=topic");
        using var response = await SendAsync(app, from, request, headers);
        if (response.StatusCode is HttpStatusCode.OK)
            return true;
        await response.ProblemAsync(429, "rate_limited");
        return false;
    }

    private static async Task<HttpResponseMessage> SendAsync(ChatBackendApp app, string from, HttpRequestMessage request, params (string Name, string Value)[] headers)
    {
        using var client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellationToken) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
                await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        })
        {
            BaseAddress = app.Address,
        };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await client.SendAsync(request);
    }
}
