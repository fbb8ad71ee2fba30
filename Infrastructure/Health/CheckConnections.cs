using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Infrastructure.Health;

/// <summary>What <c>ChatBackend check</c> asks a dependency. <c>AskAsync</c> returns a word about what answered, or throws.</summary>
/// <param name="Settings">The settings to look at when it fails.</param>
internal sealed record Probe(string Name, string Settings, Func<CancellationToken, Task<string>> AskAsync);

/// <summary>The second part of <c>ChatBackend check</c>: connects to every dependency, as the service would. Nobody's text is in these requests,
/// so the servers' own words are shown.</summary>
internal static class CheckConnections
{
    private const int MaxWords = 300;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <returns>The exit code: 1 if any of them fails.</returns>
    public static async Task<int> RunAsync(IServiceProvider services, TextWriter output, CancellationToken cancellationToken)
    {
        var code = 0;
        foreach (var probe in services.GetServices<Probe>())
        {
            var (isHealthy, text) = await AskAsync(probe, cancellationToken);
            await output.WriteLineAsync($"{probe.Name,-28} {(isHealthy ? "ok" : "failed"),-10} {text}");
            code = isHealthy ? code : 1;
        }

        return code;
    }

    private static async Task<(bool IsHealthy, string Text)> AskAsync(Probe probe, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            return (true, await probe.AskAsync(limit.Token));
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            var cause = limit.IsCancellationRequested ? $"It did not answer within {Limit.TotalSeconds} s." : e.Message;
            var words = e is FailureException { ServerText: { Length: > 0 } text } ? $" It says: {OneLine(text)}" : "";
            return (false, $"{cause}{words} (settings: {probe.Settings})");
        }
    }

    private static string OneLine(string text)
    {
        var line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= MaxWords ? line : line[..MaxWords] + "…";
    }
}
