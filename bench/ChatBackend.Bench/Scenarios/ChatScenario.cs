using System.Net.Http.Json;

namespace ChatBackend.Bench.Scenarios;

/// <summary>Questions to the sample book. The offline model answers at once, so all the time is the service's own.</summary>
internal sealed class ChatScenario : IScenario
{
    private static readonly string[] Questions =
    [
        "How do two ROS 2 nodes talk to each other?",
        "What is the zero moment point?",
        "How does a Kalman filter work?",
        "Why does a policy that works in the simulator fail on the real machine?",
        "Which wine goes with oysters?",
    ];

    public string Name => "chat";

    public string Description => "POST /chat, each with a session of its own, on the sample book";

    public Target Target { get; } = new(0.95, 2000);

    public async Task PrepareAsync(LoadRunner runner)
    {
        // The service ingests the book beside its first requests.
        while (await runner.CountAsync("select count(*) from documents") == 0)
            await Task.Delay(100);
    }

    public async Task<bool> RequestAsync(HttpClient client, Random random, CancellationToken cancellationToken)
    {
        using var response = await client.PostAsJsonAsync("/chat", new { message = Questions[random.Next(Questions.Length)] }, cancellationToken);
        await response.Content.CopyToAsync(Stream.Null, cancellationToken);
        return response.IsSuccessStatusCode;
    }
}
