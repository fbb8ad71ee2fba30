namespace ChatBackend.Bench.Scenarios;

/// <summary>Texts in titles: one row, one in seven, every row; any page, in any order, with and without a status.</summary>
internal sealed class AuditSearchScenario : IScenario
{
    private static readonly (string Text, int Pages)[] Texts =
        [("weekly safety", 17), ("gripper", 71), ("camera 1", 8), ("battery", 71), ("knee 99", 1), ("torque audit of leg", 12), ("nothing like it", 1)];

    public string Name => "audit-search";

    public string Description => "GET /audits?q= with texts that fit few or many titles; one in twenty fits all";

    public Target Target { get; } = new(0.95, 200);

    public Task PrepareAsync(LoadRunner runner) => AuditSeed.RunAsync(runner);

    public async Task<bool> RequestAsync(HttpClient client, Random random, CancellationToken cancellationToken)
    {
        var (text, pages) = random.Next(20) == 0 ? ("audit", 500) : Texts[random.Next(Texts.Length)];
        var sort = AuditListScenario.Sorts[random.Next(AuditListScenario.Sorts.Length)];
        var status = random.Next(4) == 0 ? "&status=completed" : "";
        using var response = await client.GetAsync($"/audits?q={Uri.EscapeDataString(text)}&page={random.Next(1, pages + 1)}&sort={sort}{status}", cancellationToken);
        await response.Content.CopyToAsync(Stream.Null, cancellationToken);
        return response.IsSuccessStatusCode;
    }
}
