using System.Net;
using System.Net.Http.Json;

namespace ChatBackend.Bench.Scenarios;

/// <summary>Audits of about 1 KB are created.</summary>
internal sealed class AuditCreateScenario : IScenario
{
    public string Name => "audit-create";

    public string Description => "POST /audits with 1 KB of details";

    public Target Target { get; } = new(0.95, 500);

    public Task PrepareAsync(LoadRunner runner) => Task.CompletedTask;

    public async Task<bool> RequestAsync(HttpClient client, Random random, CancellationToken cancellationToken)
    {
        using var response = await client.PostAsJsonAsync(
            "/audits",
            new
            {
                title = $"Torque check {random.Next()} of the left knee",
                status = "completed",
                score = random.Next(101),
                details = new { joint = "knee_left", torque_nm = Enumerable.Range(0, 60).Select(_ => random.NextDouble() * 40), note = new string('x', 100) },
            },
            cancellationToken);
        return response.StatusCode == HttpStatusCode.Created;
    }
}
