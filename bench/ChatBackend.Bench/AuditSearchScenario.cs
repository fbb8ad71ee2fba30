namespace ChatBackend.Bench;

/// <summary>Texts in titles: one row, one in seven, every row.</summary>
internal sealed class AuditSearchScenario : IScenario
{
    private static readonly string[] Texts = ["weekly safety", "gripper", "camera 1", "battery", "knee 99", "torque audit of leg", "nothing like it"];

    public string Name => "audit-search";

    public string Description => "GET /audits?q= with texts that fit few or many titles; one in twenty fits all";

    public Target Target { get; } = new(0.95, 200);

    public Task PrepareAsync(LoadRunner runner) => AuditSeed.RunAsync(runner);

    public async Task<bool> RequestAsync(HttpClient client, Random random, CancellationToken cancellationToken)
    {
        var text = random.Next(20) == 0 ? "audit" : Texts[random.Next(Texts.Length)];
        using var response = await client.GetAsync($"/audits?q={Uri.EscapeDataString(text)}&page={random.Next(1, 5)}", cancellationToken);
        await response.Content.CopyToAsync(Stream.Null, cancellationToken);
        return response.IsSuccessStatusCode;
    }
}
