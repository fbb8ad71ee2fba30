using System.Net;
using ChatBackend.Tests.Infrastructure.Database;

namespace ChatBackend.Tests.Features.Profile;

public sealed class ProfileVersionTests(ProfileApp app) : IClassFixture<ProfileApp>
{
    private readonly string _reader = ProfileApp.NewReader();

    [Theory]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    public async Task A_change_of_an_older_version_is_a_412_and_changes_nothing(string method)
    {
        var first = await PutAsync("First");
        var second = await PutAsync("Second");
        var before = await app.ProfileAsync(_reader);

        foreach (var stale in (string[])[first, $"W/{second}", "\"other\"", second.Trim('"'), $"{first}, \"7\""])
            await (await SendAsync(method, "Late", stale)).ProblemAsync(412, "precondition_failed");
        Assert.Equal(before.GetRawText(), (await app.ProfileAsync(_reader)).GetRawText());

        foreach (var newest in (string?[])[second, "*", null])
            Assert.Equal(HttpStatusCode.OK, (await SendAsync(method, $"By {newest}", newest)).StatusCode);
    }

    [Theory]
    [InlineData("\"1\"")]
    [InlineData("*")]
    public async Task A_guarded_change_creates_nothing(string ifMatch)
    {
        await (await SendAsync("PUT", "Late", ifMatch)).ProblemAsync(412, "precondition_failed");
        await (await SendAsync("PATCH", "Late", ifMatch)).ProblemAsync(404, "profile_not_found");

        await (await app.SendAsync(_reader, HttpMethod.Get, "/profile")).ProblemAsync(404, "profile_not_found");
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    public async Task Of_twenty_writers_with_the_same_version_one_succeeds(string method)
    {
        var tag = await PutAsync("Contested");

        var responses = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => SendAsync(method, $"Writer {i}", tag)));

        var winner = Assert.Single(Enumerable.Range(0, 20), i => responses[i].IsSuccessStatusCode);
        Assert.Equal(19, responses.Count(r => r.StatusCode == HttpStatusCode.PreconditionFailed));
        Assert.Equal($"Writer {winner}", (await app.ProfileAsync(_reader)).GetProperty("display_name").GetString());
    }

    [Fact]
    public async Task Of_twenty_first_writers_one_creates_and_none_fails()
    {
        var responses = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => SendAsync("PUT", $"Writer {i}")));

        Assert.Single(responses, r => r.StatusCode == HttpStatusCode.Created);
        Assert.Equal(19, responses.Count(r => r.StatusCode == HttpStatusCode.OK));
    }

    [Fact]
    public async Task Patches_of_different_parts_at_once_all_survive()
    {
        await PutAsync("Shared");
        string[] parts = ["\"display_name\":\"A\"", "\"preferred_language\":\"hi\"", "\"software_experience\":\"none\"", "\"hardware_experience\":\"none\"", "\"interests\":[\"i\"]", "\"learning_goals\":\"g\""];

        var responses = await Task.WhenAll(parts.Select(part => app.SendAsync(_reader, HttpMethod.Patch, "/profile", $"{{{part}}}")));

        Assert.All(responses, r => Assert.Equal(HttpStatusCode.OK, r.StatusCode));
        var profile = (await app.ProfileAsync(_reader)).GetRawText();
        Assert.All(parts, part => Assert.Contains(part, profile, StringComparison.Ordinal));
    }

    /// <summary>The connection breaks after the server is done with a write: the write is repeated, and must know its own first try.</summary>
    [Theory]
    [InlineData("PUT", false, 201)]
    [InlineData("PUT", true, 200)]
    [InlineData("PATCH", true, 200)]
    public async Task A_write_whose_reply_was_lost_has_the_same_outcome_and_does_not_undo_a_newer_one(string method, bool exists, int status)
    {
        await using var database = new ProfileApp();
        await database.InitializeAsync();
        await using var relay = new DatabaseRelay(database.Database);
        database["DATABASE_URL"] = relay.ConnectionString;
        var tag = exists ? (await database.SendAsync(_reader, HttpMethod.Put, "/profile", """{"display_name":"Before"}""")).Headers.ETag!.Tag : null;
        await database.ExecuteAsync(
            """
            create function write_too() returns trigger language plpgsql as $$
            begin
                update profiles set display_name = 'Newer', version = version + 1, change_ids = gen_random_uuid() || change_ids where user_id = new.user_id;
                return null;
            end $$;
            create trigger write_too after insert or update on profiles for each row when (pg_trigger_depth() = 0) execute function write_too();
            """);
        relay.LoseAnswerTo(exists ? "update profiles" : "insert into profiles");

        var response = await database.SendAsync(_reader, new(method), "/profile", """{"display_name":"Mine"}""", tag);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(1, relay.Lost);
        Assert.Equal("Newer", (await database.ProfileAsync(_reader)).GetProperty("display_name").GetString());
    }

    private async Task<string> PutAsync(string name)
    {
        var response = await SendAsync("PUT", name);
        Assert.True(response.IsSuccessStatusCode);
        return response.Headers.ETag!.Tag;
    }

    private Task<HttpResponseMessage> SendAsync(string method, string name, string? ifMatch = null) =>
        app.SendAsync(_reader, new(method), "/profile", $$"""{"display_name":"{{name.Replace("\"", "")}}"}""", ifMatch);
}
