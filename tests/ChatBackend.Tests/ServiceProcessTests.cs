using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Configuration;

namespace ChatBackend.Tests;

public sealed class ServiceProcessTests : IAsyncLifetime
{
    private string _database = "";

    public async ValueTask InitializeAsync() => _database = await PostgresServer.CreateDatabaseAsync();

    public async ValueTask DisposeAsync() => await PostgresServer.DropDatabaseAsync(_database);

    [Fact]
    public async Task The_built_program_answers_the_READMEs_question_from_the_sample_book_and_stops_on_SIGTERM()
    {
        await using var service = Start("Production", ("SAMPLE_BOOK", "on"), ("AI_PROVIDER", "offline"));
        await service.WaitUntilReadyAsync();

        var response = await service.Client.PostAsJsonAsync("/chat", new { message = "How do two ROS 2 nodes talk to each other?" });

        var answer = await response.JsonAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.EndsWith("/docs/ros2/nodes-and-topics#how-nodes-talk", answer.GetProperty("citations")[0].GetProperty("url").GetString());
        Assert.StartsWith("offline", answer.GetProperty("model").GetString());
        Assert.Contains("topic", answer.GetProperty("response").GetString(), StringComparison.OrdinalIgnoreCase);

        service.Stop();
        Assert.Equal(0, await service.WaitForExitAsync());
    }

    [Fact]
    public async Task Production_logs_one_JSON_line_per_request_and_no_question()
    {
        await using var service = Start("Production", ("AI_PROVIDER", "offline"));
        await service.WaitUntilReadyAsync();
        var canary = $"canary{Guid.NewGuid():N}";
        var answer = await (await service.Client.PostAsJsonAsync("/chat", new { message = $"What is {canary}?", selected_text = canary })).JsonAsync();
        await service.Client.GetAsync($"/search?q={canary}");
        service.Stop();
        await service.WaitForExitAsync();

        var requests = service.Output.Split('\n').Where(l => l.Contains("RequestLog")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("Properties")).ToArray();
        var chat = Assert.Single(requests, r => r.GetProperty("route").GetString()!.StartsWith("/chat", StringComparison.Ordinal));
        Assert.Equal("POST", chat.GetProperty("method").GetString());
        Assert.Equal(200, chat.GetProperty("status").GetInt32());
        Assert.True(chat.GetProperty("duration_ms").GetDouble() > 0);
        Assert.Matches("^[0-9a-f]{32}$", chat.GetProperty("trace_id").GetString());
        Assert.Equal(answer.GetProperty("session_id").GetString()![..8], chat.GetProperty("session").GetString());
        Assert.DoesNotContain(canary, service.Output);
        Assert.DoesNotContain(answer.GetProperty("session_id").GetString()!, service.Output);
    }

    [Fact]
    public async Task Without_its_required_settings_the_service_does_not_start_and_names_them_all()
    {
        await using var service = ServiceProcess.Start(new() { ["ASPNETCORE_ENVIRONMENT"] = "Production" });

        Assert.Equal(1, await service.WaitForExitAsync());
        Assert.Contains("DATABASE_URL is missing", service.Output);
        Assert.Contains("OPENAI_API_KEY is missing", service.Output);
    }

    [Theory]
    [InlineData("ModelLimits__BreakerRatio", "50", "BreakerRatio must be between 0.01 and 1")]
    [InlineData("ModelLimits__Connect", "00:00:00", "Connect must be between 00:00:00.0010000 and 01:00:00")]
    [InlineData("Shutdown__Timeout", "00:00:05", "Timeout must be between 00:00:06 and 00:10:00")]
    [InlineData("Turns__Lease", "soon", "Failed to convert configuration value 'soon' at 'Turns:Lease' to type 'System.TimeSpan'.")]
    [InlineData("Turns__Lease", "00:00:00", "Lease must be between 00:00:00.1000000 and 01:00:00")]
    public async Task The_service_does_not_start_with_an_option_out_of_range(string setting, string value, string problem)
    {
        await using var service = Start("Production", ("AI_PROVIDER", "offline"), (setting, value));

        Assert.Equal(1, await service.WaitForExitAsync());
        Assert.Contains(problem, service.Output);
    }

    [Fact]
    public async Task The_service_does_not_start_on_a_port_that_is_in_use()
    {
        // Of both address families, if the machine has both.
        using var other = TcpListener.Create(0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;

        await using var service = Start("Production", ("AI_PROVIDER", "offline"), ("PORT", $"{port}"));

        Assert.Equal(1, await service.WaitForExitAsync());
        var any = Socket.OSSupportsIPv6 ? "[::]" : "0.0.0.0";
        Assert.Contains($"Failed to bind to address http://{any}:{port}: address already in use.", service.Output);
        Assert.DoesNotContain("Unhandled exception", service.Output);
    }

    [Theory]
    [InlineData("offline", 0)]
    [InlineData("nonsense", 1)]
    public async Task The_exit_code_of_check_tells_whether_the_service_would_start(string provider, int code)
    {
        await using var check = ServiceProcess.Start(
            new() { ["ASPNETCORE_ENVIRONMENT"] = "Production", ["DATABASE_URL"] = "postgres://u:hunter2@h/db", ["AI_PROVIDER"] = provider }, "check", "--offline");

        Assert.Equal(code, await check.WaitForExitAsync());
        Assert.DoesNotContain("hunter2", check.Output);
    }

    [Fact]
    public async Task The_exit_code_of_health_is_1_if_no_service_answers()
    {
        await using var health = ServiceProcess.Start([], "health");

        Assert.Equal(1, await health.WaitForExitAsync());
    }

    [Fact]
    public async Task The_README_has_every_setting_with_its_default()
    {
        var rows = Regex.Matches(
            Repository.Text("README.md"), @"^\| `(?<name>[A-Z_]+)` \| (?<meaning>[^|]+) \| (?<default>[^|]+) \|$",
            RegexOptions.Multiline | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(60));

        Assert.Equal(
            SettingsTable.All.Select(s => (s.Name, s.Meaning, s.Default)),
            rows.Select(r => (r.Groups["name"].Value, r.Groups["meaning"].Value, r.Groups["default"].Value)));
    }

    private ServiceProcess Start(string environment, params (string Name, string Value)[] settings)
    {
        var all = settings.ToDictionary(s => s.Name, s => s.Value);
        all["ASPNETCORE_ENVIRONMENT"] = environment;
        all["DATABASE_URL"] = _database;
        return ServiceProcess.Start(all);
    }
}
