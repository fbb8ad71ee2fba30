using System.Net;
using System.Text.Json;
using ChatBackend.Tests.Features.Audits;

namespace ChatBackend.Tests.Features.Profile;

public sealed class ProfileRecordTests(ProfileApp app) : IClassFixture<ProfileApp>
{
    private const string Whole =
        """
        {"display_name":"Amina 🤖","preferred_language":"ur","software_experience":"beginner","hardware_experience":"none",
         "interests":["walking robots","control"],"learning_goals":"To build an arm."}
        """;

    private readonly string _reader = ProfileApp.NewReader();

    [Fact]
    public async Task The_first_put_creates_and_a_later_one_replaces()
    {
        await (await app.SendAsync(_reader, HttpMethod.Get, "/profile")).ProblemAsync(404, "profile_not_found");

        var created = await app.SendAsync(_reader, HttpMethod.Put, "/profile", Whole);
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        var profile = await created.JsonAsync();
        Assert.Equal(
            ["display_name", "preferred_language", "software_experience", "hardware_experience", "interests", "learning_goals", "created_at", "updated_at"],
            profile.EnumerateObject().Select(m => m.Name));
        Assert.Equal("Amina 🤖", profile.GetProperty("display_name").GetString());
        Assert.Equal(["walking robots", "control"], profile.GetProperty("interests").EnumerateArray().Select(i => i.GetString()));
        Assert.EndsWith("Z", profile.GetProperty("created_at").GetString(), StringComparison.Ordinal);
        var read = await app.SendAsync(_reader, HttpMethod.Get, "/profile");
        Assert.Equal(profile.GetRawText(), await read.Content.ReadAsStringAsync());
        Assert.Equal(created.Headers.ETag, read.Headers.ETag);

        var replaced = await app.SendAsync(_reader, HttpMethod.Put, "/profile", """{"software_experience":"advanced","unknown":1}""");
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        Assert.NotEqual(created.Headers.ETag, replaced.Headers.ETag);
        var after = await replaced.JsonAsync();
        Assert.Equal("advanced", after.GetProperty("software_experience").GetString());
        Assert.Equal("[]", after.GetProperty("interests").GetRawText());
        Assert.All((string[])["display_name", "preferred_language", "hardware_experience", "learning_goals"], name => Assert.Equal(JsonValueKind.Null, after.GetProperty(name).ValueKind));
        Assert.Equal(profile.GetProperty("created_at").GetString(), after.GetProperty("created_at").GetString());
    }

    [Theory]
    [InlineData("application/merge-patch+json")]
    [InlineData("application/json")]
    public async Task A_patch_changes_what_it_names_removes_with_null_and_keeps_the_rest(string mediaType)
    {
        await (await app.SendAsync(_reader, HttpMethod.Patch, "/profile", """{"learning_goals":"x"}""", mediaType: mediaType)).ProblemAsync(404, "profile_not_found");
        await app.SendAsync(_reader, HttpMethod.Put, "/profile", Whole);

        var response = await app.SendAsync(_reader, HttpMethod.Patch, "/profile", """{"display_name":null,"interests":["grippers"],"hardware_experience":"advanced"}""", mediaType: mediaType);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var profile = await response.JsonAsync();
        Assert.Equal(JsonValueKind.Null, profile.GetProperty("display_name").ValueKind);
        Assert.Equal("""["grippers"]""", profile.GetProperty("interests").GetRawText());
        Assert.Equal(("ur", "beginner", "advanced", "To build an arm."), (
            profile.GetProperty("preferred_language").GetString(), profile.GetProperty("software_experience").GetString(),
            profile.GetProperty("hardware_experience").GetString(), profile.GetProperty("learning_goals").GetString()));
        Assert.Equal(profile.GetRawText(), (await app.ProfileAsync(_reader)).GetRawText());
    }

    [Fact]
    public async Task Each_reader_has_their_own()
    {
        var other = ProfileApp.NewReader();
        await app.SendAsync(_reader, HttpMethod.Put, "/profile", Whole);
        var before = await app.ProfileAsync(_reader);

        await (await app.SendAsync(other, HttpMethod.Get, "/profile")).ProblemAsync(404, "profile_not_found");
        Assert.Equal(HttpStatusCode.Created, (await app.SendAsync(other, HttpMethod.Put, "/profile", """{"display_name":"Other"}""")).StatusCode);
        await app.SendAsync(other, HttpMethod.Patch, "/profile", """{"display_name":"Another"}""");

        Assert.Equal(before.GetRawText(), (await app.ProfileAsync(_reader)).GetRawText());
    }

    [Theory]
    [InlineData("display_name", """ "" """)]
    [InlineData("display_name", """ "  " """)]
    [InlineData("display_name", """ "a\u0000" """)]
    [InlineData("display_name", """ 7 """)]
    [InlineData("preferred_language", """ "" """)]
    [InlineData("preferred_language", """ "English" """)]
    [InlineData("preferred_language", """ "en_US" """)]
    [InlineData("preferred_language", """ "en-" """)]
    [InlineData("preferred_language", """ "en\n" """)]
    [InlineData("preferred_language", """ "x-private" """)]
    [InlineData("preferred_language", """ "en-x-a23456-b23456-c23456-d23456-e23" """)]
    [InlineData("software_experience", """ "expert" """)]
    [InlineData("software_experience", """ "Beginner" """)]
    [InlineData("hardware_experience", """ 1 """)]
    [InlineData("interests", """ "robots" """)]
    [InlineData("interests", """ [""] """)]
    [InlineData("interests", """ ["a",null] """)]
    [InlineData("interests", """ ["\ud800"] """)]
    [InlineData("learning_goals", """ "\u0000" """)]
    public async Task What_is_not_valid_names_its_field_and_stores_nothing(string field, string value)
    {
        await RefusedAsync(HttpMethod.Put);
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from profiles where user_id = @reader", new { reader = _reader }));

        await app.SendAsync(_reader, HttpMethod.Put, "/profile", Whole);
        var before = await app.ProfileAsync(_reader);
        await RefusedAsync(HttpMethod.Patch);
        Assert.Equal(before.GetRawText(), (await app.ProfileAsync(_reader)).GetRawText());

        async Task RefusedAsync(HttpMethod method)
        {
            var problem = await (await app.SendAsync(_reader, method, "/profile", $$"""{"{{field}}":{{value}}}""")).ProblemAsync(400, "invalid_request");
            // A wrong type inside the list is reported with its place.
            Assert.StartsWith(field, Assert.Single(problem.GetProperty("errors").EnumerateObject()).Name, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Every_field_is_bounded()
    {
        foreach (var (field, most) in new[] { ("display_name", 100), ("learning_goals", 1000) })
        {
            // An emoji is one character.
            await AcceptsAsync($$"""{"{{field}}":"{{string.Concat(Enumerable.Repeat("🤖", most))}}"}""");
            await (await PutAsync($$"""{"{{field}}":"{{new string('x', most + 1)}}"}""")).InvalidAsync(field);
        }

        await AcceptsAsync($$"""{"interests":[{{string.Join(',', Enumerable.Repeat($"\"{new string('i', 60)}\"", 20))}}]}""");
        await (await PutAsync($$"""{"interests":[{{string.Join(',', Enumerable.Repeat("\"i\"", 21))}}]}""")).InvalidAsync("interests");
        await (await PutAsync($$"""{"interests":["{{new string('i', 61)}}"]}""")).InvalidAsync("interests");
        foreach (var tag in (string[])["en", "UR", "pt-BR", "zh-Hant-TW", "es-419", "de-CH-1996", "sl-rozaj-biske", "en-u-ca-gregory", "yue", "ar-x-school"])
            await AcceptsAsync($$"""{"preferred_language":"{{tag}}"}""");

        async Task AcceptsAsync(string json)
        {
            var response = await PutAsync(json);
            Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        }

        Task<HttpResponseMessage> PutAsync(string json) => app.SendAsync(_reader, HttpMethod.Put, "/profile", json);
    }

    [Fact]
    public async Task Without_a_token_there_is_no_profile()
    {
        foreach (var (method, body) in new[] { (HttpMethod.Get, null), (HttpMethod.Put, Whole), (HttpMethod.Patch, Whole) })
            await (await app.SendAsync(null, method, "/profile", body)).ProblemAsync(401, "token_required");
    }
}
