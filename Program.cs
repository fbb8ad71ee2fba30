using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;

var builder = WebApplication.CreateBuilder(args);

builder.AddDatabase();
builder.AddHttpRules();

var app = builder.Build();

app.UseHttpRules();
app.MapHealth();

await app.RunAsync();
