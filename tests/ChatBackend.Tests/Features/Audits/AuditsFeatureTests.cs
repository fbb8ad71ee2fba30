using System.Net;
using ChatBackend.Features.Audits;

namespace ChatBackend.Tests.Features.Audits;

public sealed class AuditsFeatureTests
{
    [Theory]
    [InlineData("off", false)]
    [InlineData("on", true)]
    public async Task AUDITS_off_takes_the_routes_away_and_out_of_the_description(string audits, bool areThere)
    {
        await using var app = new ChatBackendApp { ["AUDITS"] = audits };
        await app.InitializeAsync();

        var responses = new[]
        {
            await app.Client.GetAsync("/audits"),
            await app.Client.SendAsync(HttpMethod.Post, "/audits", """{"title":"T"}"""),
            await app.Client.GetAsync("/audits/019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21"),
        };

        Assert.Equal(
            areThere ? [HttpStatusCode.OK, HttpStatusCode.Created, HttpStatusCode.NotFound] : [HttpStatusCode.NotFound, HttpStatusCode.NotFound, HttpStatusCode.NotFound],
            responses.Select(r => r.StatusCode));
        await responses[^1].ProblemAsync(404, areThere ? "audit_not_found" : "not_found");
        var description = (await app.Client.GetJsonAsync("/openapi/v1.json")).GetProperty("paths").EnumerateObject().Select(p => p.Name).ToArray();
        Assert.Contains("/chat", description);
        Assert.Equal(areThere, description.Any(p => p.StartsWith("/audits", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_statuses_are_those_of_the_database()
    {
        await using var app = new ChatBackendApp();
        await app.InitializeAsync();

        Assert.Equal(AuditStatusAttribute.All, await app.ScalarAsync<string[]>("select enum_range(null::audit_status)::text[]"));
    }
}
