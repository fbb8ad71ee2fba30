using System.Net.Sockets;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search;
using Npgsql;
using Spectre.Console;

namespace ChatBackend.Features.Ingest;

/// <summary><c>ChatBackend ingest &lt;folder&gt; [--prune]</c>: indexes a book from the command line.</summary>
internal static class IngestFolder
{
    private const string Usage = "Usage: ChatBackend ingest <folder> [--prune]";

    /// <summary>Includes the wait for another process that migrates.</summary>
    private static readonly TimeSpan LongestMigration = TimeSpan.FromMinutes(5);

    /// <returns>The exit code: 1 when the folder is missing or has no pages, any page failed, or the database or the index is unavailable.</returns>
    public static async Task<int> RunAsync(IServiceProvider services, IReadOnlyList<string> args, CancellationToken cancellationToken)
    {
        var console = AnsiConsole.Console;
        try
        {
            await MigrateAsync(services, console, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            console.WriteLine(Describe(exception));
            return 1;
        }

        return await RunAsync(services, args, console, cancellationToken);
    }

    internal static async Task<int> RunAsync(IServiceProvider services, IReadOnlyList<string> args, IAnsiConsole console, CancellationToken cancellationToken)
    {
        var folders = args.Where(arg => !arg.StartsWith('-')).ToList();
        if (folders.Count != 1 || args.Any(arg => arg.StartsWith('-') && arg != "--prune"))
        {
            console.WriteLine(Usage);
            return 1;
        }

        try
        {
            var summary = await console.Progress().HideCompleted(true).StartAsync(async context =>
            {
                var task = context.AddTask("Reading");

                return await services.GetRequiredService<BookIngest>().IngestAsync(folders[0], args.Contains("--prune"), progress =>
                {
                    task.MaxValue = Math.Max(1, progress.Total);
                    task.Value = progress.Total == 0 ? 1 : progress.Done;
                    task.Description = Markup.Escape(progress.Path.Length == 0 ? "Done" : progress.Path);
                }, cancellationToken);
            });

            return Report(console, folders[0], summary);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            console.WriteLine(Describe(exception));
            return 1;
        }
    }

    private static async Task MigrateAsync(IServiceProvider services, IAnsiConsole console, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(LongestMigration);
        var last = "";
        try
        {
            await services.GetRequiredService<Migrator>().UpAsync(services.GetRequiredService<NpgsqlConnectionStringBuilder>(), state =>
            {
                if (state != last)
                    console.WriteLine(last = state);
            }, patience.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{last} for {LongestMigration.TotalMinutes} minutes; try again later.", exception);
        }
    }

    private static string Describe(Exception exception) => exception switch
    {
        NpgsqlException or SocketException or TimeoutException => $"The database cannot be used: {exception.Message}",
        SearchException or IOException or UnauthorizedAccessException => exception.Message,
        _ => exception.ToString(),
    };

    private static int Report(IAnsiConsole console, string folder, IngestSummary summary)
    {
        foreach (var document in summary.Skipped)
            console.WriteLine($"  skipped: {document.Path}: {document.Reason}");
        if (summary.Documents + summary.Drafts == 0)
        {
            console.WriteLine($"There are no .md or .mdx files in {folder}.");
            return 1;
        }

        var ingested = summary.Documents - summary.Unchanged - summary.Failed.Count;
        console.WriteLine($"{Count(summary.Documents, "document")}: {ingested} ingested ({Count(summary.Passages, "passage")}), {summary.Unchanged} unchanged, {summary.Failed.Count} failed.");

        if (summary.Removed > 0)
            console.WriteLine($"{Count(summary.Removed, "document")} removed, no longer in the folder.");
        if (summary.Drafts > 0)
            console.WriteLine($"{Count(summary.Drafts, "draft")} skipped.");
        foreach (var document in summary.Failed)
            console.WriteLine($"  failed: {document.Path}: {document.Reason}");

        return summary.Failed.Count == 0 ? 0 : 1;
    }

    private static string Count(int count, string noun) => $"{count} {noun}{(count == 1 ? "" : "s")}";
}
