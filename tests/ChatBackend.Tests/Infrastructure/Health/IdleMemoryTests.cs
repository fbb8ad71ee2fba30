using System.Net.Http.Json;

namespace ChatBackend.Tests.Infrastructure.Health;

public sealed class IdleMemoryTests : IAsyncLifetime
{
    private string _database = "";

    public async ValueTask InitializeAsync() => _database = await PostgresServer.CreateDatabaseAsync();

    public async ValueTask DisposeAsync() => await PostgresServer.DropDatabaseAsync(_database);

    [Fact]
    public async Task A_service_that_has_become_idle_gives_its_garbage_back()
    {
        await using var service = ServiceProcess.Start(new()
        {
            ["DATABASE_URL"] = _database,
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["AI_PROVIDER"] = "offline",
            ["SAMPLE_BOOK"] = "on",
            ["RATE_LIMIT_CHAT"] = "0",
        });
        await service.WaitUntilReadyAsync();
        for (var i = 0; i < 300; i++)
            (await service.Client.PostAsJsonAsync("/chat", new { message = "What is a ROS 2 node?" })).EnsureSuccessStatusCode();
        var busy = service.Memory;

        // Some 20 MB are expected. 5 MB suffice, because a slow machine may have collected the garbage of the start before the questions.
        await Until.TrueAsync(
            () => Task.FromResult(service.Memory < busy - 5_000_000), () => $"After {busy / 1_000_000} MB the service stayed at {service.Memory / 1_000_000} MB.");
    }
}
