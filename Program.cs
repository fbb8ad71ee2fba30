using System.Globalization;
using ChatBackend;
using ChatBackend.Features.Audits;
using ChatBackend.Features.Chat;
using ChatBackend.Features.Home;
using ChatBackend.Features.Ingest;
using ChatBackend.Features.Insights;
using ChatBackend.Features.Profile;
using ChatBackend.Features.Search;
using ChatBackend.Features.Translate;
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
// Settings are read once, at the start: their files are not watched.
Environment.SetEnvironmentVariable("DOTNET_hostBuilder__reloadConfigOnChange", "false");

return await ExitCode.OfAsync(RunAsync, Commands.CodeIfStopped(args), stop.Token);

async Task<int> RunAsync()
{
    // HTTPS and HTTP/3 are a proxy's work.
    var builder = WebApplication.CreateSlimBuilder(args);
    if (await Commands.RunAloneAsync(args, builder, stop.Token) is { } done)
        return done;

    builder.AddSettings();
    builder.Services.AddSingleton<IHostLifetime>(stop);
    builder.AddLogging(isCommand: Commands.IsForPeople(args));
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
    return await Commands.RunAsync(args, app, stop.Token);
}
