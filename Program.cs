using ChatBackend.Features.Search;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;

var builder = WebApplication.CreateBuilder(args);

builder.AddDatabase();
builder.AddHttpRules();
builder.AddSearch();

var app = builder.Build();

app.UseHttpRules();
app.MapHealth();
app.MapSearch();

await app.RunAsync();
