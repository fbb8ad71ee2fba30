using ChatBackend.Features.Chat.Evaluation;
using ChatBackend.Features.Ingest;
using ChatBackend.Features.Translate.Book;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Health;

namespace ChatBackend;

/// <summary>What the program does: it serves, or runs <c>check</c>, <c>health</c>, <c>manifest</c>, <c>ingest</c>, <c>translate</c> or <c>eval</c>.</summary>
internal static class Commands
{
    /// <summary>True for a command whose output is for a person: it logs warnings alone, to standard error.</summary>
    public static bool IsForPeople(string[] args) => args is ["ingest" or "eval" or "check" or "translate", ..];

    /// <summary>The exit code when the program is stopped: 1 if there was work left.</summary>
    public static int CodeIfStopped(string[] args) => args is ["ingest" or "eval" or "translate", ..] ? 1 : 0;

    /// <summary>Runs what needs no service. Null if there is more to do.</summary>
    public static async Task<int?> RunAloneAsync(string[] args, WebApplicationBuilder builder, CancellationToken cancellationToken)
    {
        switch (args)
        {
            case ["check", .. var options and ([] or ["--offline"])]:
                var code = CheckCommand.Run(builder.Configuration, builder.Environment.IsDevelopment(), Console.Out);
                return code != 0 || options.Length > 0 ? code : null;
            case ["check", ..]:
                await Console.Error.WriteLineAsync("Usage: ChatBackend check [--offline]");
                return 1;
            case ["health", ..]:
                return await HealthCommand.RunAsync(builder.Configuration);
            case ["manifest", .. var folders]:
                return await PrintManifest.RunAsync(folders, Console.Out, Console.Error, cancellationToken);
            default:
                return null;
        }
    }

    /// <summary>Runs what needs the services; without a command, serves until it is stopped.</summary>
    public static Task<int> RunAsync(string[] args, WebApplication app, CancellationToken cancellationToken) => args switch
    {
        ["check", ..] => CheckConnections.RunAsync(app.Services, Console.Out, cancellationToken),
        ["ingest", .. var options] => IngestFolder.RunAsync(app.Services, options, cancellationToken),
        ["translate", .. var options] => TranslateBook.RunAsync(app.Services, options, cancellationToken),
        ["eval", .. var options] => EvaluateAnswers.RunAsync(app.Services, options, cancellationToken),
        _ => ServeAsync(app, cancellationToken),
    };

    private static async Task<int> ServeAsync(WebApplication app, CancellationToken cancellationToken)
    {
        // Not canceled: the start is short, and a canceled start would be logged as errors.
        await app.StartAsync(CancellationToken.None);
        await app.WaitForShutdownAsync(cancellationToken);
        return 0;
    }
}
