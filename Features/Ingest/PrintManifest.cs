using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Docusaurus.Site;

namespace ChatBackend.Features.Ingest;

/// <summary><c>ChatBackend manifest &lt;build&gt;</c>: prints what a built site publishes, for an ingest where the site itself is not. Needs no database.</summary>
internal static class PrintManifest
{
    /// <returns>The exit code: 1 if the folder is no built site.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, TextWriter output, TextWriter errors, CancellationToken cancellationToken)
    {
        if (args is not [var build])
        {
            await errors.WriteLineAsync("Usage: ChatBackend manifest <build>   (the folder that `docusaurus build` writes)");
            return 1;
        }

        try
        {
            await output.WriteLineAsync((await SiteManifest.ReadAsync(build, cancellationToken)).ToJson());
            return 0;
        }
        catch (Exception exception) when (exception is DocumentException or IOException or UnauthorizedAccessException)
        {
            await errors.WriteLineAsync(exception.Message);
            return 1;
        }
    }
}
