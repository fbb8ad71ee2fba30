using System.Net;
using System.Text.Json;
using ChatBackend.Infrastructure.Health;
using Dapper;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace ChatBackend.Tests;

/// <summary>
/// The whole service on Kestrel (127.0.0.1, a free port) with its own empty database, which is dropped afterwards.
/// Set settings before the first use: <c>new ChatBackendApp { ["RATE_LIMIT_CHAT"] = "1" }</c>.
/// </summary>
public class ChatBackendApp : WebApplicationFactory<Program>, IAsyncLifetime
{
    private readonly Dictionary<string, string?> _settings = [];

    // UseKestrel(0) would set the port from this thread while the program's own thread may listen already.
    public ChatBackendApp() => UseKestrel(options => options.Listen(IPAddress.Loopback, 0));

    /// <summary>A setting, by the name of its environment variable.</summary>
    public string? this[string setting]
    {
        get => _settings.GetValueOrDefault(setting);
        set => _settings[setting] = value;
    }

    /// <summary>The environment: Development by default, with the offline model.</summary>
    public string Environment { get; init; } = "Development";

    /// <summary>The service's clock, if it is not the machine's.</summary>
    public TimeProvider? Clock { get; init; }

    /// <summary>Npgsql keywords for the application's own database.</summary>
    public string Database { get; private set; } = "";

    /// <summary>False if the test runs without a database on purpose.</summary>
    public bool WaitsUntilStarted { get; init; } = true;

    /// <summary>A client of the running service; its first use starts the service.</summary>
    public HttpClient Client => field ??= CreateHttpClient();

    /// <summary>The address that the service listens on.</summary>
    public Uri Address => Client.BaseAddress!;

    public virtual async ValueTask InitializeAsync() => Database = await PostgresServer.CreateDatabaseAsync();

    /// <summary>A connection to the application's database after its migration.</summary>
    public async Task<NpgsqlConnection> OpenDatabaseAsync()
    {
        _ = Client;
        var connection = new NpgsqlConnection(Database);
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>One value from the application's database.</summary>
    public async Task<T?> ScalarAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = await OpenDatabaseAsync();
        return await connection.ExecuteScalarAsync<T>(sql, parameters);
    }

    /// <summary>Runs a statement on the application's database.</summary>
    public async Task ExecuteAsync(string sql, object? parameters = null)
    {
        await using var connection = await OpenDatabaseAsync();
        await connection.ExecuteAsync(sql, parameters);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await PostgresServer.DropDatabaseAsync(Database);
        GC.SuppressFinalize(this);
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment(Environment);
        builder.UseSetting("DATABASE_URL", Database);
        // Rate limits and the sample book are off unless a test turns them on.
        builder.UseSetting("RATE_LIMIT_CHAT", "0");
        builder.UseSetting("RATE_LIMIT_TRANSLATE", "0");
        builder.UseSetting("RATE_LIMIT_SEARCH", "0");
        builder.UseSetting("SAMPLE_BOOK", "off");
        foreach (var (name, value) in _settings)
            builder.UseSetting(name, value);
        if (Clock is { } clock)
            builder.ConfigureTestServices(services => services.AddSingleton(clock));
    }

    private HttpClient CreateHttpClient()
    {
        StartServer();
        // Without this a program that ended before it listened would show as requests to [::]:8000.
        Assert.True(
            Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.IsCancellationRequested,
            "The program ended before it listened; its standard error may say why.");
        if (WaitsUntilStarted)
            Assert.True(Task.WaitAll([.. Services.GetServices<Dependency>().Select(d => d.Started)], TimeSpan.FromMinutes(3)), "The service did not become ready.");
        return new HttpClient { BaseAddress = ClientOptions.BaseAddress };
    }
}

/// <summary>Reads responses.</summary>
internal static class Answers
{
    /// <summary>The body as JSON.</summary>
    public static async Task<JsonElement> JsonAsync(this HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;

    /// <summary>Fails unless the response is problem+json with this status and code and a trace id; returns its body.</summary>
    public static async Task<JsonElement> ProblemAsync(this HttpResponseMessage response, int status, string code)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode} instead of {status}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var body = JsonDocument.Parse(text).RootElement;
        Assert.Equal(code, body.GetProperty("code").GetString());
        Assert.Equal(status, body.GetProperty("status").GetInt32());
        Assert.False(string.IsNullOrEmpty(body.GetProperty("trace_id").GetString()));
        return body;
    }
}
