using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search;
using Npgsql;
using Spectre.Console;

namespace ChatBackend.Features.Ingest;

/// <summary><c>ChatBackend ingest &lt;folder&gt; [--prune]</c>: puts a book into the index from a shell.</summary>
internal static class IngestFolder
{
    private const string Usage = "Usage: ChatBackend ingest <folder> [--prune]";

    /// <summary>Runs the command.</summary>
    /// <param name="services">The application's services; the database is migrated here.</param>
    /// <param name="args">What follows <c>ingest</c> on the command line.</param>
    /// <returns>The exit code: 0, or 1 when the folder is missing or has no pages, or any page failed.</returns>
    public static async Task<int> RunAsync(IServiceProvider services, IReadOnlyList<string> args, CancellationToken cancellationToken)
    {
        try
        {
            await services.GetRequiredService<Migrator>().UpAsync(
                services.GetRequiredService<NpgsqlConnectionStringBuilder>(), AnsiConsole.Console.WriteLine, cancellationToken);
        }
        catch (NpgsqlException exception)
        {
            AnsiConsole.Console.WriteLine($"The database cannot be used: {exception.Message}");
            return 1;
        }

        return await RunAsync(services, args, AnsiConsole.Console, cancellationToken);
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
        catch (Exception exception) when (exception is DirectoryNotFoundException or SearchException)
        {
            console.WriteLine(exception.Message);
            return 1;
        }
    }

    private static int Report(IAnsiConsole console, string folder, IngestSummary summary)
    {
        if (summary.Documents + summary.Drafts == 0)
        {
            console.WriteLine($"There are no .md or .mdx files in {folder}.");
            return 1;
        }

        var ingested = summary.Documents - summary.Unchanged - summary.Failed.Count;
        console.WriteLine($"{summary.Documents} documents: {ingested} ingested ({summary.Passages} passages), {summary.Unchanged} unchanged, {summary.Failed.Count} failed.");

        if (summary.Removed > 0)
            console.WriteLine($"{summary.Removed} removed that the folder no longer has.");
        if (summary.Drafts > 0)
            console.WriteLine($"{summary.Drafts} drafts left out.");
        foreach (var document in summary.Failed)
            console.WriteLine($"  failed: {document.Path}: {document.Reason}");

        return summary.Failed.Count == 0 ? 0 : 1;
    }
}
