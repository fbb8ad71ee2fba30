using ChatBackend.Features.Audits;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;

var builder = WebApplication.CreateBuilder(args);

builder.AddDatabase();
builder.AddHttpRules();
builder.AddAudits();

var app = builder.Build();

app.UseHttpRules();
app.MapHealth();
app.MapAudits();

await app.RunAsync();
