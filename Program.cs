using System.Globalization;
using ChatBackend.Features.Audits;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Features.Search;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Observability;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
EnvironmentFile.Load(".env", Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT") == "Development");

var builder = WebApplication.CreateBuilder(args);

switch (args.FirstOrDefault())
{
    case "check":
        return CheckCommand.Run(builder.Configuration, builder.Environment.IsDevelopment(), Console.Out);
    case "health":
        return await HealthCommand.RunAsync(builder.Configuration);
}

try
{
    builder.AddSettings();
}
catch (SettingsException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}

builder.AddLogging();
builder.AddTelemetry();
builder.AddDatabase();
builder.AddAi();
builder.AddHttpRules();
builder.AddRateLimits();
builder.AddOpenApiDocument();
builder.AddAudits();
builder.AddSearch();

var app = builder.Build();

app.UseMiddleware<RequestLog>();
app.UseHttpRules();
app.UseRateLimiter();
app.MapHealth();
app.MapOpenApiDocument();
app.MapAudits();
app.MapSearch();

await app.RunAsync();
return 0;
