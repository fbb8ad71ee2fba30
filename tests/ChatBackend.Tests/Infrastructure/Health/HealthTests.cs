using System.Net;

namespace ChatBackend.Tests.Infrastructure.Health;

public sealed class HealthTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Fact]
    public async Task Health_says_healthy()
    {
        var response = await app.Client.GetAsync("/health");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("""{"status":"healthy"}""", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Ready_reports_the_database_with_its_latency()
    {
        // The index is loaded when the database is migrated, so a little later.
        await Until.TrueAsync(async () => (await app.Client.GetAsync("/health/ready")).IsSuccessStatusCode, "The service did not become ready.");

        var response = await app.Client.GetAsync("/health/ready");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var database = (await response.JsonAsync()).GetProperty("dependencies").GetProperty("database");
        Assert.Equal("healthy", database.GetProperty("status").GetString());
        Assert.Equal("migrated", database.GetProperty("detail").GetString());
        Assert.True(database.GetProperty("latency_ms").GetDouble() >= 0);
    }

    [Fact]
    public async Task Without_a_database_it_is_alive_but_not_ready_and_says_so_in_time()
    {
        await using var unreachable = new ChatBackendApp { WaitsUntilStarted = false, ["DATABASE_URL"] = "postgres://nobody:secret@127.0.0.1:1/none" };
        await unreachable.InitializeAsync();

        Assert.Equal(HttpStatusCode.OK, (await unreachable.Client.GetAsync("/health")).StatusCode);
        var ready = await unreachable.Client.GetAsync("/health/ready");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Equal("unhealthy", (await ready.JsonAsync()).GetProperty("dependencies").GetProperty("database").GetProperty("status").GetString());
        Assert.DoesNotContain("secret", await ready.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task An_unknown_route_is_a_problem()
    {
        var body = await (await app.Client.GetAsync("/nothing-here")).ProblemAsync(404, "not_found");

        Assert.Equal("/nothing-here", body.GetProperty("instance").GetString());
    }

    [Fact]
    public async Task A_wrong_method_is_a_problem_that_allows_the_right_one()
    {
        var response = await app.Client.DeleteAsync("/health");

        await response.ProblemAsync(405, "method_not_allowed");
        Assert.Contains("GET", response.Content.Headers.Allow);
    }
}
