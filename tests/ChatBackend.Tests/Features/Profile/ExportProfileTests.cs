using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Database;
using Dapper;

namespace ChatBackend.Tests.Features.Profile;

public sealed class ExportProfileTests(ProfileApp app, ITestOutputHelper output) : IClassFixture<ProfileApp>
{
    private readonly string _reader = ProfileApp.NewReader();

    [Fact]
    public async Task The_download_has_all_of_the_readers_and_nothing_of_others()
    {
        await app.SendAsync(_reader, HttpMethod.Put, "/profile", """{"display_name":"Amina","interests":["control"]}""");
        var first = await app.AskAsync(_reader, new { message = "What is a topic?", selected_text = "publishes messages", page_url = "/docs/ros2" });
        await app.AskAsync(_reader, new { message = "And why?", session_id = first.GetProperty("session_id").GetString() });
        var second = await app.AskAsync(_reader, new { message = "What is a service?" });
        await app.SendAsync(_reader, HttpMethod.Put, $"/chat/messages/{first.GetProperty("message_id").GetString()}/feedback", """{"rating":"down","comment":"Too short 🤖"}""");
        await app.ExecuteAsync(
            "update messages set citations = @citations::json where id = @id",
            new { citations = """[{"number":1,"title":"ROS 2","heading":"Topics","url":"/docs/ros2#topics","snippet":"Over topics.","score":1.5}]""", id = first.GetProperty("message_id").GetGuid() });
        await app.ExecuteAsync("update chat_sessions set title = 'Topics' where id = @id", new { id = first.GetProperty("session_id").GetGuid() });
        await app.AskAsync(ProfileApp.NewReader(), new { message = "A stranger's question" });
        await app.AskAsync(null, new { message = "An anonymous question" });

        var response = await app.SendAsync(_reader, HttpMethod.Get, "/profile/export");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("attachment; filename=profile-export.json", response.Content.Headers.ContentDisposition?.ToString());
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        var export = await response.JsonAsync();
        Assert.Equal(_reader, export.GetProperty("subject").GetString());
        Assert.Equal((await app.ProfileAsync(_reader)).GetRawText(), export.GetProperty("profile").GetRawText());
        var conversations = export.GetProperty("conversations").EnumerateArray().ToArray();
        Assert.Equal([first.GetProperty("session_id").GetString(), second.GetProperty("session_id").GetString()], conversations.Select(c => c.GetProperty("session_id").GetString()));
        Assert.Equal(["Topics", null], conversations.Select(c => c.GetProperty("title").GetString()));
        foreach (var conversation in conversations)
        {
            var listed = await (await app.SendAsync(_reader, HttpMethod.Get, $"/chat/sessions/{conversation.GetProperty("session_id").GetString()}/messages")).JsonAsync();
            Assert.Equal(listed.GetProperty("items").EnumerateArray().Select(Shared), conversation.GetProperty("messages").EnumerateArray().Select(Shared));
        }

        var messages = conversations[0].GetProperty("messages").EnumerateArray().ToArray();
        Assert.Equal([1, 2, 3, 4], messages.Select(m => m.GetProperty("position").GetInt32()));
        Assert.Equal(("publishes messages", "/docs/ros2"), (messages[0].GetProperty("selected_text").GetString(), messages[0].GetProperty("page_url").GetString()));
        Assert.Equal("/docs/ros2#topics", messages[1].GetProperty("citations")[0].GetProperty("url").GetString());
        Assert.Equal(("down", "Too short 🤖"), (messages[1].GetProperty("feedback").GetProperty("rating").GetString(), messages[1].GetProperty("feedback").GetProperty("comment").GetString()));

        static string Shared(JsonElement message) => string.Join(
            '|', ((string[])["message_id", "turn_id", "position", "role", "content", "citations", "created_at"]).Select(name => message.GetProperty(name).GetRawText()));
    }

    [Fact]
    public async Task A_reader_of_whom_nothing_is_stored_gets_that()
    {
        var export = await (await app.SendAsync(_reader, HttpMethod.Get, "/profile/export")).JsonAsync();

        Assert.Equal(JsonValueKind.Null, export.GetProperty("profile").ValueKind);
        Assert.Equal("[]", export.GetProperty("conversations").GetRawText());
        Assert.Equal("[]", export.GetProperty("translations").GetRawText());
        await (await app.SendAsync(null, HttpMethod.Get, "/profile/export")).ProblemAsync(401, "token_required");
        var head = await app.SendAsync(_reader, HttpMethod.Head, "/profile/export");
        Assert.Equal((HttpStatusCode.OK, true), (head.StatusCode, head.Content.Headers.ContentLength > 0));
    }

    [Fact]
    public async Task The_download_is_of_one_moment_also_while_all_of_it_is_deleted()
    {
        await app.SendAsync(_reader, HttpMethod.Put, "/profile", """{"display_name":"Amina"}""");
        await app.AskAsync(_reader, new { message = "What is a topic?" });
        await using var connection = await app.OpenDatabaseAsync();
        await using var deletion = await connection.BeginTransactionAsync();
        // The export has read the profile then, and waits for the conversations.
        await connection.ExecuteAsync("lock table message_feedback in access exclusive mode", transaction: deletion);
        var download = app.SendAsync(_reader, HttpMethod.Get, "/profile/export");
        await Until.TrueAsync(async () => await app.ScalarAsync<bool>("select exists (select from pg_locks where not granted and relation = 'message_feedback'::regclass)"), "The export does not wait.");
        await connection.ExecuteAsync("delete from profiles where user_id = @_reader; delete from chat_sessions where user_id = @_reader", new { _reader }, deletion);
        await deletion.CommitAsync();

        var export = await (await download).JsonAsync();

        Assert.Equal("Amina", export.GetProperty("profile").GetProperty("display_name").GetString());
        Assert.Equal(2, Assert.Single(export.GetProperty("conversations").EnumerateArray()).GetProperty("messages").GetArrayLength());
    }

    [Fact]
    public async Task A_connection_that_breaks_on_the_way_costs_no_part()
    {
        await using var broken = new ProfileApp();
        await broken.InitializeAsync();
        await using var relay = new DatabaseRelay(broken.Database);
        broken["DATABASE_URL"] = relay.ConnectionString;
        await broken.AskAsync(_reader, new { message = "What is a topic?" });
        relay.LoseAnswerTo("as session_created_at");

        var export = await (await broken.SendAsync(_reader, HttpMethod.Get, "/profile/export")).JsonAsync();

        Assert.Equal(1, relay.Lost);
        Assert.Equal(2, Assert.Single(export.GetProperty("conversations").EnumerateArray()).GetProperty("messages").GetArrayLength());
    }

    [Fact]
    public async Task The_services_memory_does_not_grow_with_the_download()
    {
        const int messages = 60_000;
        await using var service = ServiceProcess.Start(new()
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["DATABASE_URL"] = app.Database,
            ["AI_PROVIDER"] = "offline",
            ["AUTH_SECRET"] = ProfileApp.Secret,
        });
        await service.WaitUntilReadyAsync();
        await app.ExecuteAsync(
            """
            with session as (
                insert into chat_sessions (id, user_id, turn_count)
                select gen_random_uuid(), @_reader, 1 from generate_series(1, 20)
                returning id
            ),
            turn as (
                insert into turns (id, session_id, number, state, request, ended_at)
                select gen_random_uuid(), id, 1, 'completed', '{"message":"Q","selected_text":null,"page_url":null}', now() from session
                returning id, session_id
            )
            insert into messages (id, session_id, turn_id, position, role, content)
            select gen_random_uuid(), session_id, id, n, 'user', repeat(md5(n::text), 128)
            from turn, generate_series(1, @messages / 20) as n
            """,
            new { _reader, messages });
        // The code is compiled and the pools are filled before it is measured.
        await DownloadAsync(ProfileApp.NewReader());
        var before = service.PeakMemory;

        var bytes = await DownloadAsync(_reader);

        var grown = service.PeakMemory - before;
        output.WriteLine($"{bytes / 1e6:0} MB downloaded; the peak of the memory grew by {grown / 1e6:0} MB");
        Assert.True(bytes > messages * 4096L, $"{bytes} bytes");
        Assert.True(grown < 64 * 1024 * 1024, $"The memory grew by {grown / 1e6:0} MB for a download of {bytes / 1e6:0} MB.");

        async Task<long> DownloadAsync(string reader)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/profile/export") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", ProfileApp.Token(reader)) } };
            using var response = await service.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Assert.True(response.IsSuccessStatusCode, await (response.IsSuccessStatusCode ? Task.FromResult("") : response.Content.ReadAsStringAsync()));
            await using var content = await response.Content.ReadAsStreamAsync();
            var (buffer, total) = (new byte[64 * 1024], 0L);
            while (await content.ReadAsync(buffer) is > 0 and var read)
                total += read;
            return total;
        }
    }
}
