namespace ChatBackend.Bench.Scenarios;

/// <summary>The liveness probe, while nothing else is asked.</summary>
internal sealed class HealthScenario : IScenario
{
    public string Name => "health";

    public string Description => "GET /health";

    public Target Target { get; } = new(0.99, 50);

    public Task PrepareAsync(LoadRunner runner) => Task.CompletedTask;

    public async Task<bool> RequestAsync(HttpClient client, Random random, CancellationToken cancellationToken)
    {
        using var response = await client.GetAsync("/health", cancellationToken);
        return response.IsSuccessStatusCode;
    }
}
