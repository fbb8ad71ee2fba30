namespace ChatBackend.Bench.Scenarios;

/// <summary>Any page, in any order, of any status.</summary>
internal sealed class AuditListScenario : IScenario
{
    public static readonly string[] Sorts = ["created_at", "-created_at", "title", "-title"];
    private static readonly string?[] Statuses = [null, "pending", "in_progress", "completed", "failed"];

    private int _audits;

    public string Name => "audit-list";

    public string Description => $"GET /audits at random pages, sizes, orders and statuses";

    public Target Target { get; } = new(0.95, 200);

    public async Task PrepareAsync(LoadRunner runner)
    {
        await AuditSeed.RunAsync(runner);
        _audits = runner.Options.Audits;
    }

    public async Task<bool> RequestAsync(HttpClient client, Random random, CancellationToken cancellationToken)
    {
        var size = random.Next(1, 51);
        var status = Statuses[random.Next(Statuses.Length)];
        var page = random.Next(1, _audits / (status is null ? 1 : 4) / size + 1);
        using var response = await client.GetAsync(
            $"/audits?page={page}&page_size={size}&sort={Sorts[random.Next(Sorts.Length)]}" + (status is null ? "" : $"&status={status}"), cancellationToken);
        await response.Content.CopyToAsync(Stream.Null, cancellationToken);
        return response.IsSuccessStatusCode;
    }
}
