using System.Net.Sockets;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Features.Ingest.Uploads;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Docusaurus.Site;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;
using Npgsql;
using Spectre.Console;
using static ChatBackend.Infrastructure.Configuration.CommandConsole;

namespace ChatBackend.Features.Ingest;

/// <summary><c>ChatBackend ingest &lt;folder&gt;</c>: uploads a folder as a job, and runs the queue until that job has ended.</summary>
internal static class IngestFolder
{
    private const string Usage = """
        Usage: ChatBackend ingest <folder> [--prune] [--plan] [--exclude <glob>]... [--site <build>] [--version <version>]
          --prune           remove what is in the index but not in the folder
          --plan            write nothing; say what would change
          --exclude <glob>  leave these pages out, as Docusaurus' exclude does: --exclude '**/*.summary.md'
          --site <build>    the site as built: the folder that `docusaurus build` writes, or what `ChatBackend manifest` wrote
          --version <v>     versioned_docs/version-<v> instead of the folder, beside which it is
        """;

    /// <summary>How often a line is written where there is no terminal.</summary>
    private static readonly TimeSpan LinePause = TimeSpan.FromSeconds(5);

    private const string PostgreSql = "PostgreSQL";

    /// <returns>The exit code: 1 when the folder is missing or has no pages, any page failed, or the database or the index is unavailable.</returns>
    public static async Task<int> RunAsync(IServiceProvider services, IReadOnlyList<string> args, CancellationToken cancellationToken)
    {
        var console = Open();
        try
        {
            await CommandMigration.RunAsync(services, console.WriteLine, cancellationToken);
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
        if (Arguments.Parse(args) is not { } arguments)
        {
            console.WriteLine(Usage);
            return 1;
        }

        try
        {
            return await RunAsync(services, arguments, console, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            console.WriteLine(Describe(exception));
            return 1;
        }
    }

    private static async Task<int> RunAsync(IServiceProvider services, Arguments arguments, IAnsiConsole console, CancellationToken cancellationToken)
    {
        var site = arguments.Site is null ? null : await SiteManifest.LoadAsync(arguments.Site, cancellationToken);
        var book = BookFolders.Find(arguments.Folder, arguments.Version);
        var files = BookFolder.Find(book.Docs);
        var database = services.GetRequiredService<NpgsqlDataSource>();
        await using var upload = await JobUpload.OpenAsync(database, isChecked: false, cancellationToken);
        upload.Published = new(services.GetRequiredService<IOptions<SiteOptions>>().Value, arguments.Exclude, site) { Version = book.Route };
        await upload.AddFolderAsync(book.Docs, files, cancellationToken);
        foreach (var (language, translation) in book.Translations)
            await upload.AddTranslationAsync(language, translation, cancellationToken);
        foreach (var document in upload.Skipped)
            console.WriteLine($"  skipped: {document.Path}: {document.Reason}");
        // An empty folder is most likely the wrong folder.
        if (upload.Pages == 0)
        {
            console.WriteLine(files.Pages.Count == 0 ? $"There are no .md or .mdx files in {arguments.Folder}." : $"The site publishes none of the pages in {arguments.Folder}.");
            return 1;
        }

        await upload.EnqueueAsync(arguments.Prune, arguments.Plan, cancellationToken);
        try
        {
            return Report(console, await RunAsync(services, upload.Id, console, cancellationToken));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await CancelIngestJob.RunAsync(database, upload.Id, CancellationToken.None);
            throw;
        }
    }

    /// <summary>Runs what is in the queue, and shows the job's progress until it has ended, here or in another process.</summary>
    private static async Task<IngestJobResponse> RunAsync(IServiceProvider services, Guid id, IAnsiConsole console, CancellationToken cancellationToken)
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var patience = new Patience(services.GetRequiredService<IOptions<PatienceOptions>>().Value.Limit, TimeProvider.System, new(IngestReport.Empty));
        var running = RunQueueAsync(services, patience, done.Token);
        try
        {
            var jobs = services.GetRequiredService<JobStatus>();
            Task<IngestJobResponse?> FindAsync() => patience.RunAsync(PostgreSql, token => jobs.FindAsync(id, token), cancellationToken);
            return console.Profile.Capabilities.Interactive && console.Profile.Capabilities.Ansi
                ? await console.Progress().HideCompleted(true).StartAsync(context =>
                {
                    var task = context.AddTask("Reading");
                    return FollowAsync(FindAsync, running, TimeSpan.Zero, job =>
                    {
                        task.MaxValue = Math.Max(1, job.Report.Documents);
                        task.Value = job.Report.Done;
                        task.Description = Markup.Escape(Line(job));
                    }, cancellationToken);
                })
                : await FollowAsync(FindAsync, running, LinePause, job => console.WriteLine(Line(job)), cancellationToken);
        }
        finally
        {
            await done.CancelAsync();
            await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task RunQueueAsync(IServiceProvider services, Patience patience, CancellationToken cancellationToken)
    {
        var options = services.GetRequiredService<IOptions<IngestOptions>>().Value;
        var runner = services.GetRequiredService<JobRunner>();
        while (true)
        {
            if (await patience.RunAsync(PostgreSql, runner.RunNextAsync, cancellationToken) is not Claim.Claimed)
                await Task.Delay(options.Beat, cancellationToken);
        }
    }

    /// <param name="running">Ends only by a failure.</param>
    private static async Task<IngestJobResponse> FollowAsync(
        Func<Task<IngestJobResponse?>> findAsync, Task running, TimeSpan pause, Action<IngestJobResponse> show, CancellationToken cancellationToken)
    {
        var (shownAt, shown) = (0L, "");
        IngestJobResponse? last = null;
        while (true)
        {
            var finding = findAsync();
            if (last is not null && await Task.WhenAny(finding, Task.Delay(LinePause, cancellationToken)) != finding)
                show(last with { Report = last.Report with { WaitsFor = PostgreSql } });
            var job = last = await finding ?? throw new InvalidOperationException("The job was deleted.");
            if (job.IsEnded)
                return job;
            if (TimeProvider.System.GetElapsedTime(shownAt) >= pause && Line(job) != shown)
            {
                (shownAt, shown) = (TimeProvider.System.GetTimestamp(), Line(job));
                show(job);
            }

            if (await Task.WhenAny(running, Task.Delay(JobStatus.Poll, cancellationToken)) == running)
                await running;
        }
    }

    private static string Line(IngestJobResponse job) => job switch
    {
        { Ahead: { } ahead } => $"Waiting for {Count(ahead, "other ingest job")}",
        { Report: { WaitsFor: { } what, Done: var done, Documents: var documents } } => $"{done} of {Count(documents, "document")}, waiting for {what}",
        { Report: { Done: var done, Documents: var documents, Passages: var passages } } => $"{done} of {Count(documents, "document")}, {Count(passages, "passage")}",
    };

    private static string Describe(Exception exception) => exception switch
    {
        NpgsqlException or SocketException or TimeoutException => $"The database cannot be used: {exception.Message}",
        SearchException or UploadException or DocumentException or IOException or UnauthorizedAccessException => exception.Message,
        _ => exception.ToString(),
    };

    private static int Report(IAnsiConsole console, IngestJobResponse job)
    {
        var report = job.Report;
        if (report.Plan is { } plan)
            Report(console, report, plan);
        else
            console.WriteLine($"{Count(report.Documents - report.Drafts, "document")}: {report.Ingested} ingested ({Count(report.Passages, "passage")}), {report.Unchanged} unchanged, {report.FailedCount} failed.");

        if (report.Removed > 0)
            console.WriteLine($"{Count(report.Removed, "document")} removed, no longer in the folder.");
        if (report.Drafts > 0)
            console.WriteLine($"{Count(report.Drafts, "draft")} skipped.");
        if (report.Notice is not null)
            console.WriteLine(report.Notice);
        foreach (var document in report.Warnings)
            console.WriteLine($"  warning: {document.Path}: {document.Reason}");
        foreach (var document in report.Failed)
            console.WriteLine($"  failed: {document.Path}: {document.Reason}");
        switch (job.State)
        {
            case "failed":
                console.WriteLine($"The ingest failed: {job.Error?.Detail}");
                break;
            case "superseded":
                console.WriteLine($"Job {job.SupersededBy}, a later upload of the whole book, took its place.");
                break;
            case "cancelled":
                console.WriteLine("The job was cancelled.");
                break;
        }

        return job.State == "completed" && report.FailedCount == 0 ? 0 : 1;
    }

    private static void Report(IAnsiConsole console, IngestReport report, IngestPlan plan)
    {
        console.WriteLine(
            $"A plan; nothing was written. {Count(report.Documents - report.Drafts, "document")}: {plan.AddedCount} added, {plan.ChangedCount} changed, {plan.MovedCount} moved, "
            + $"{plan.RemovedCount} removed, {report.Unchanged} unchanged, {report.FailedCount} failed; {Count(plan.PassagesToEmbed, "passage")} to embed.");
        foreach (var path in plan.Added)
            console.WriteLine($"  added: {path}");
        foreach (var path in plan.Changed)
            console.WriteLine($"  changed: {path}");
        foreach (var (from, to) in plan.Moved)
            console.WriteLine($"  moved: {from} to {to}");
        foreach (var path in plan.Removed)
            console.WriteLine($"  removed: {path}");
    }

    private sealed record Arguments(string Folder, bool Prune, bool Plan, IReadOnlyList<string> Exclude, string? Site, string? Version)
    {
        /// <summary>Null if they are wrong.</summary>
        public static Arguments? Parse(IReadOnlyList<string> args)
        {
            var arguments = new Arguments("", Prune: false, Plan: false, [], Site: null, Version: null);

            for (var index = 0; index < args.Count; index++)
            {
                var value = index + 1 < args.Count ? args[index + 1] : null;
                switch (args[index])
                {
                    case "--prune":
                        arguments = arguments with { Prune = true };
                        break;
                    case "--plan":
                        arguments = arguments with { Plan = true };
                        break;
                    case "--exclude" when value is not null:
                        arguments = arguments with { Exclude = [.. arguments.Exclude, value] };
                        index++;
                        break;
                    case "--site" when value is not null && arguments.Site is null:
                        arguments = arguments with { Site = value };
                        index++;
                        break;
                    case "--version" when value is not null && arguments.Version is null:
                        arguments = arguments with { Version = value };
                        index++;
                        break;
                    case var folder when !folder.StartsWith('-') && arguments.Folder.Length == 0:
                        arguments = arguments with { Folder = folder };
                        break;
                    default:
                        return null;
                }
            }

            return arguments.Folder.Length == 0 ? null : arguments;
        }
    }
}
