using System.Globalization;
using ChatBackend.Features.Audits;
using ChatBackend.Features.Chat;
using ChatBackend.Features.Chat.Evaluation;
using ChatBackend.Features.Home;
using ChatBackend.Features.Ingest;
using ChatBackend.Features.Insights;
using ChatBackend.Features.Profile;
using ChatBackend.Features.Search;
using ChatBackend.Features.Translate;
using ChatBackend.Features.Translate.Book;
using ChatBackend.Features.Widget;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Health;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Infrastructure.Observability;
using ChatBackend.Infrastructure.Search;

using var stop = new StopSignals();
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
EnvironmentFile.Load(".env", Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT") == "Development");

return await ExitCode.OfAsync(RunAsync, ifStopped: args is ["ingest" or "eval" or "translate", ..] ? 1 : 0, stop.Token);

async Task<int> RunAsync()
{
    var builder = WebApplication.CreateBuilder(args);

    if (args is ["check", .. var how])
    {
        if (how is not ([] or ["--offline"]))
        {
            await Console.Error.WriteLineAsync("Usage: ChatBackend check [--offline]");
            return 1;
        }

        var code = CheckCommand.Run(builder.Configuration, builder.Environment.IsDevelopment(), Console.Out);
        if (code != 0 || how.Length > 0)
            return code;
    }

    if (args is ["health", ..])
        return await HealthCommand.RunAsync(builder.Configuration);
    if (args is ["manifest", .. var folders])
        return await PrintManifest.RunAsync(folders, Console.Out, Console.Error, stop.Token);

    builder.AddSettings();
    builder.Services.AddSingleton<IHostLifetime>(stop);
    builder.AddLogging(isCommand: args is ["ingest" or "eval" or "check" or "translate", ..]);
    builder.AddTelemetry();
    builder.AddHttpRules();
    builder.AddHealth();
    builder.AddAuth();
    builder.AddLimits();
    builder.AddDatabase();
    builder.AddAi();
    builder.AddPassageIndex();
    builder.AddIngest();
    builder.AddSearch();
    builder.AddChat();
    builder.AddProfile();
    builder.AddAudits();
    builder.AddTranslate();
    builder.AddOpenApiDocument();

    await using var app = builder.Build();
    stop.LogTo(app.Logger);

    app.UseWelcome();
    app.UseMiddleware<RequestLog>();
    app.UseHttpRules();
    app.UseDatabase();
    app.UseAuth();

    var routes = app.MapWithHead();
    routes.MapHome();
    routes.MapWidget();
    routes.MapHealth();
    routes.MapChat();
    routes.MapInsights();
    routes.MapSearch();
    routes.MapTranslate();
    routes.MapProfile();
    routes.MapAudits();
    routes.MapIngest();
    routes.MapOpenApiDocument();

    await app.StartLocalDatabaseAsync(stop.Token);
    if (args is ["check", ..])
        return await CheckConnections.RunAsync(app.Services, Console.Out, stop.Token);
    if (args is ["ingest", .. var rest])
        return await IngestFolder.RunAsync(app.Services, rest, stop.Token);
    if (args is ["translate", .. var book])
        return await TranslateBook.RunAsync(app.Services, book, stop.Token);
    if (args is ["eval", .. var asked])
        return await EvaluateAnswers.RunAsync(app.Services, asked, stop.Token);
    // Not canceled: the start is short, and a canceled start would be logged as errors.
    await app.StartAsync(CancellationToken.None);
    await app.WaitForShutdownAsync(stop.Token);
    return 0;
}
