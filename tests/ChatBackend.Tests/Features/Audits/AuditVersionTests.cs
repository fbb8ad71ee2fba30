using System.Net;

namespace ChatBackend.Tests.Features.Audits;

public sealed class AuditVersionTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Theory]
    [InlineData("PUT", """{"title":"Late"}""")]
    [InlineData("PATCH", """{"title":"Late"}""")]
    [InlineData("DELETE", null)]
    public async Task A_change_of_an_older_version_is_a_412_and_changes_nothing(string method, string? json)
    {
        var (path, _) = await app.Client.CreateAuditAsync("""{"title":"First"}""");
        await app.Client.SendAsync(HttpMethod.Put, path, """{"title":"Second"}""", ifMatch: "\"1\"");
        var before = await app.Client.GetJsonAsync(path);

        foreach (var stale in (string[])["\"1\"", "W/\"2\"", "\"other\"", "2", "\"1\", \"7\""])
            await (await app.Client.SendAsync(new(method), path, json, stale)).ProblemAsync(412, "precondition_failed");

        Assert.Equal(before.GetRawText(), (await app.Client.GetJsonAsync(path)).GetRawText());
    }

    [Theory]
    [InlineData("\"2\"")]
    [InlineData("\"1\", \"2\"")]
    [InlineData("*")]
    [InlineData(null)]
    public async Task A_change_of_the_newest_version_or_of_any_is_made(string? ifMatch)
    {
        var (path, _) = await app.Client.CreateAuditAsync("""{"title":"First"}""");
        await app.Client.SendAsync(HttpMethod.Put, path, """{"title":"Second"}""");

        var response = await app.Client.SendAsync(HttpMethod.Patch, path, """{"title":"Third"}""", ifMatch);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("\"3\"", response.Headers.ETag?.Tag);
        Assert.Equal("\"3\"", (await app.Client.GetAsync(path)).Headers.ETag?.Tag);
        Assert.Equal(HttpStatusCode.NoContent, (await app.Client.SendAsync(HttpMethod.Delete, path, ifMatch: "\"3\"")).StatusCode);
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    public async Task Of_twenty_writers_with_the_same_version_one_succeeds(string method)
    {
        var (path, _) = await app.Client.CreateAuditAsync("""{"title":"Contested"}""");

        var responses = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            app.Client.SendAsync(new(method), path, $$"""{"title":"Writer {{i}}"}""", "\"1\"")));

        var winner = Array.FindIndex(responses, r => r.IsSuccessStatusCode);
        Assert.Equal(1, responses.Count(r => r.IsSuccessStatusCode));
        Assert.Equal(19, responses.Count(r => r.StatusCode == HttpStatusCode.PreconditionFailed));
        Assert.Equal($"Writer {winner}", (await app.Client.GetJsonAsync(path)).GetProperty("title").GetString());
    }

    [Fact]
    public async Task Patches_of_different_parts_at_once_all_survive()
    {
        var (path, _) = await app.Client.CreateAuditAsync("""{"title":"Shared"}""");

        var responses = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            app.Client.SendAsync(HttpMethod.Patch, path, $$$"""{"details":{"part_{{{i}}}":{{{i}}}}}""")));

        Assert.All(responses, r => Assert.Equal(HttpStatusCode.OK, r.StatusCode));
        Assert.Equal(20, (await app.Client.GetJsonAsync(path)).GetProperty("details").EnumerateObject().Count());
        Assert.Equal("\"21\"", (await app.Client.GetAsync(path)).Headers.ETag?.Tag);
    }
}
