using System.Globalization;
using System.Net.Sockets;
using ChatBackend.Features.Translate.Caching;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Docusaurus;
using Microsoft.Extensions.Options;
using Npgsql;
using Spectre.Console;
using static ChatBackend.Infrastructure.Configuration.CommandConsole;

namespace ChatBackend.Features.Translate.Book;

/// <summary><c>ChatBackend translate &lt;folder&gt; --to &lt;language&gt;</c>: translates a book into Docusaurus' <c>i18n</c> folder.</summary>
internal static class TranslateBook
{
    private const string Usage = """
        Usage: ChatBackend translate <folder> --to <language> [--out <folder>] [--from <language>] [--plan] [--prune] [--force]
          --to <language>    the language to translate to, such as ur or pt-BR
          --out <folder>     where the pages go; without it i18n/<language>/docusaurus-plugin-content-docs/current beside the book's folder
          --from <language>  the book's language, if it is not BOOK_LANGUAGE
          --plan             write nothing and ask no model; say what would be translated, and about how many tokens it would take
          --prune            remove translated pages whose originals are gone
          --force            overwrite pages and texts too that somebody has changed by hand
        """;

    /// <summary>How often a line is written where there is no terminal.</summary>
    private static readonly TimeSpan LinePause = TimeSpan.FromSeconds(5);

    /// <returns>The exit code: 1 if the folder is missing or has no pages, a page or file failed, there is no model, or the database is unavailable.</returns>
    public static Task<int> RunAsync(IServiceProvider services, IReadOnlyList<string> args, CancellationToken cancellationToken) =>
        RunAsync(services, args, Open(), cancellationToken);

    internal static async Task<int> RunAsync(IServiceProvider services, IReadOnlyList<string> args, IAnsiConsole console, CancellationToken cancellationToken)
    {
        if (Arguments.Parse(args) is not { } arguments)
        {
            console.WriteLine(Usage);
            return 1;
        }

        try
        {
            await CommandMigration.RunAsync(services, console.WriteLine, cancellationToken);

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
        var options = services.GetRequiredService<IOptions<SiteOptions>>().Value;
        var target = LanguageTag.Parse(arguments.To) ?? throw new DocumentException($"--to {arguments.To} is not the tag of a known language, such as ur, zh-Hant or pt-BR.");
        var from = arguments.From ?? options.BookLanguage;
        var source = LanguageTag.Parse(from) ?? throw new DocumentException($"The book's language {from} is not the tag of a known language, such as en.");
        if (LanguageTag.AreSame(source, target))
            throw new DocumentException($"The book is in {source} already. If it is not, set BOOK_LANGUAGE, or name its language with --from.");

        var translator = services.GetRequiredService<CachedTranslator>();
        if (!translator.IsAvailable && !arguments.Plan)
            throw new DocumentException("There is no model to translate with. Set OPENAI_API_KEY, or OPENAI_BASE_URL for another server, and do not set AI_PROVIDER=offline.");

        var layout = BookLayout.Of(arguments.Folder, arguments.Out, arguments.To);
        await using var record = await TranslationRecord.OpenAsync(layout.Root, cancellationToken);
        var book = new BookTranslator(
            translator, services.GetRequiredService<DocumentTranslator>(), new(source, target) { Glossary = services.GetRequiredService<Glossaries>().For(target) });
        var headingIds = services.GetRequiredService<IOptions<TranslateOptions>>().Value.HeadingIds == "classic" ? HeadingIds.Classic : HeadingIds.Comment;
        var run = new BookTranslation(layout, record, book, headingIds, target, arguments.Force);

        var sources = await run.ReadAsync(cancellationToken);
        // An empty folder is most likely the wrong folder.
        if (sources.Pages.Count == 0)
            throw new DocumentException($"There are no .md or .mdx files in {arguments.Folder}.");

        await ReportPlanAsync(run, translator.Model, arguments.Plan, console, cancellationToken);
        if (!arguments.Plan)
        {
            await ShowAsync(console, run, cancellationToken);
            await run.CopyAsync(sources.Others, cancellationToken);
            await run.RemoveAsync(sources, arguments.Prune, cancellationToken);
            await record.CompactAsync();
        }

        return Report(console, run, arguments.Plan);
    }

    private static async Task ReportPlanAsync(BookTranslation run, string? model, bool isPlan, IAnsiConsole console, CancellationToken cancellationToken)
    {
        var cost = new TranslationCost(0, 0, 0);
        var lines = new List<string>();
        foreach (var file in run.Files)
        {
            var one = await run.CostAsync(file, cancellationToken);
            cost = new(cost.Missing + one.Missing, cost.InputTokens + one.InputTokens, cost.OutputTokens + one.OutputTokens);
            if (one.Missing > 0)
                lines.Add($"  to translate: {file.Name} ({one.Missing} of {Count(file.Document.Segments.Count, "segment")})");
        }

        var segments = run.Files.Sum(file => file.Document.Segments.Count);
        var tokens = string.Create(CultureInfo.InvariantCulture, $"about {cost.InputTokens:N0} tokens to {model ?? "a model"} and {cost.OutputTokens:N0} from it");
        console.WriteLine(
            $"{(isPlan ? "A plan; nothing was written. " : "")}{Count(run.Files.Count(file => file.IsPage), "page")}, {Count(run.Files.Count(file => !file.IsPage), "file")} of texts, "
            + $"{Count(segments, "segment")}: {segments - cost.Missing} stored already, {cost.Missing} to translate{(cost.Missing > 0 ? $", {tokens}" : "")}.");
        foreach (var line in isPlan ? lines : [])
            console.WriteLine(line);
    }

    /// <summary>Translates, with a bar in a terminal and a line now and then elsewhere.</summary>
    private static async Task ShowAsync(IAnsiConsole console, BookTranslation run, CancellationToken cancellationToken)
    {
        if (console.Profile.Capabilities.Interactive && console.Profile.Capabilities.Ansi)
        {
            await console.Progress().HideCompleted(true).StartAsync(async context =>
            {
                var bar = context.AddTask("Translating", maxValue: Math.Max(1, run.Segments));
                await FollowAsync(TimeSpan.FromMilliseconds(100), Show);
                // Without this the bar would stay where it was up to 100 ms before the end.
                Show();

                void Show()
                {
                    bar.Value = run.SegmentsDone;
                    bar.Description = Markup.Escape(Line(run));
                }
            });
        }
        else
        {
            await FollowAsync(LinePause, () => console.WriteLine(Line(run)));
        }

        async Task FollowAsync(TimeSpan pause, Action show)
        {
            var translating = run.TranslateAsync(cancellationToken);
            while (await Task.WhenAny(translating, Task.Delay(pause, CancellationToken.None)) != translating)
                show();
            await translating;
        }
    }

    private static string Line(BookTranslation run) => $"{run.FilesDone} of {Count(run.Files.Count, "file")}, {run.SegmentsDone} of {Count(run.Segments, "segment")}";

    private static int Report(IAnsiConsole console, BookTranslation run, bool isPlan)
    {
        var result = run.Result;
        if (!isPlan)
        {
            console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{Count(run.FilesDone, "file")}: {result.Written} written, {result.Unchanged} unchanged, {result.Kept.Count} changed by hand, {result.Failed.Count} failed; {result.Copied} copied. "
                + $"{Count(run.Usage.Calls, "call")} to the model, {run.Usage.InputTokens:N0} tokens to it and {run.Usage.OutputTokens:N0} from it."));
            if (result.Removed > 0)
                console.WriteLine($"{Count(result.Removed, "file")} removed, whose originals are gone.");
        }

        if (result.Drafts > 0)
            console.WriteLine($"{Count(result.Drafts, "draft")} skipped.");
        Lines("skipped", result.Skipped);
        Lines("no original any more (--prune removes it)", result.Stale);
        Lines("changed by hand, left as it is (--force overwrites it)", result.Kept);
        Lines("note", result.Notes);
        Lines("warning", result.Warnings);
        Lines("failed", result.Failed);

        return result.Failed.IsEmpty ? 0 : 1;

        void Lines(string what, IEnumerable<string> lines)
        {
            foreach (var line in lines.Order(StringComparer.Ordinal))
                console.WriteLine($"  {what}: {line}");
        }
    }

    private static string Describe(Exception exception) => exception switch
    {
        NpgsqlException or SocketException or TimeoutException => $"The database cannot be used: {exception.Message}",
        ModelException or DocumentException or IOException or UnauthorizedAccessException => exception.Message,
        _ => exception.ToString(),
    };

    private sealed record Arguments(string Folder, string To, string? Out, string? From, bool Plan, bool Prune, bool Force)
    {
        /// <summary>Null if they are wrong.</summary>
        public static Arguments? Parse(IReadOnlyList<string> args)
        {
            var arguments = new Arguments("", "", Out: null, From: null, Plan: false, Prune: false, Force: false);
            for (var index = 0; index < args.Count; index++)
            {
                var value = index + 1 < args.Count && !args[index + 1].StartsWith("--", StringComparison.Ordinal) ? args[index + 1] : null;
                switch (args[index])
                {
                    case "--to" when value is not null && arguments.To.Length == 0:
                        arguments = arguments with { To = value };
                        index++;
                        break;
                    case "--out" when value is not null && arguments.Out is null:
                        arguments = arguments with { Out = value };
                        index++;
                        break;
                    case "--from" when value is not null && arguments.From is null:
                        arguments = arguments with { From = value };
                        index++;
                        break;
                    case "--plan":
                        arguments = arguments with { Plan = true };
                        break;
                    case "--prune":
                        arguments = arguments with { Prune = true };
                        break;
                    case "--force":
                        arguments = arguments with { Force = true };
                        break;
                    case var folder when !folder.StartsWith('-') && folder.Length > 0 && arguments.Folder.Length == 0:
                        arguments = arguments with { Folder = folder };
                        break;
                    default:
                        return null;
                }
            }

            return arguments.Folder.Length == 0 || arguments.To.Length == 0 ? null : arguments;
        }
    }
}
