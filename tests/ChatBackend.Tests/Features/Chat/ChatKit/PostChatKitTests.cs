using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Features.Profile;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.ChatKit;

/// <summary>ChatKit's server protocol over real HTTP. All that is sent and received fits ChatKit's own schemas, where they are.</summary>
public sealed class PostChatKitTests(PostChatKitTests.SignedInApp fixture) : IClassFixture<PostChatKitTests.SignedInApp>
{
    /// <summary>The stub's, where a test scripts no other.</summary>
    private const string Answer = "The stub's answer.";

    private const string Question = "How do nodes talk to each other?";

    private readonly ChatApp _app = fixture.App;
    private readonly List<(string Schema, JsonElement Json)> _seen = [];

    [Fact]
    public async Task A_new_thread_streams_its_question_and_the_answer_with_annotations()
    {
        _app.Model.Answer("Over topics [1]. Yes.");

        var events = await StreamAsync("threads.create", new { input = Input(Question, quoted: "Two ROS 2 nodes talk to each other over topics") });

        Assert.Equal(
            ["thread.created", "thread.item.done", "stream_options", "thread.item.added", "thread.item.updated", "thread.item.updated", "thread.item.done"],
            events.Select(Type).Where((type, i) => i == 0 || type != "thread.item.updated" || Update(events[i]) is "added" or "done"));
        var thread = events[0].GetProperty("thread");
        Assert.StartsWith("thr_", Id(thread));
        Assert.Equal(Question, thread.GetProperty("title").GetString());
        var asked = events[1].GetProperty("item");
        Assert.StartsWith("msg_", Id(asked));
        Assert.Equal("Two ROS 2 nodes talk to each other over topics", asked.GetProperty("quoted_text").GetString());
        Assert.False(events[2].GetProperty("stream_options").GetProperty("allow_cancel").GetBoolean());
        Assert.Equal("Over topics [1]. Yes.", string.Concat(events.Where(e => Update(e) == "text_delta").Select(e => e.GetProperty("update").GetProperty("delta").GetString())));
        var content = events[^1].GetProperty("item").GetProperty("content")[0];
        Assert.Equal("Over topics [1]. Yes.", content.GetProperty("text").GetString());
        var annotation = Assert.Single(content.GetProperty("annotations").EnumerateArray());
        Assert.Equal("Over topics [1]".Length, annotation.GetProperty("index").GetInt32());
        // Without SITE_BASE_URL a citation has no link, only its title.
        Assert.Equal("entity", Type(annotation.GetProperty("source")));
        Assert.Equal("Topics › How nodes talk", annotation.GetProperty("source").GetProperty("title").GetString());
        Assert.Equal(annotation.GetRawText(), Assert.Single(events, e => Update(e) == "annotation_added").GetProperty("update").GetProperty("annotation").GetRawText());
        // The quoted text is the selected text of /chat.
        Assert.Equal(
            "Two ROS 2 nodes talk to each other over topics",
            await _app.ScalarAsync<string>("select request ->> 'selected_text' from turns where session_id = @id::uuid", new { id = Id(thread)["thr_".Length..] }));
        await ValidateAsync();
    }

    [Fact]
    public async Task A_conversation_goes_on_between_ChatKit_chat_and_the_AI_SDK()
    {
        var thread = Id((await StreamAsync("threads.create", new { input = Input(Question) }))[0].GetProperty("thread"));
        var session = thread["thr_".Length..];

        await _app.AnswerAsync(new { message = "And requests?", session_id = session });
        var sdk = await _app.Client.PostAsJsonAsync("/api/chat", new
        {
            id = session,
            trigger = "submit-message",
            messages = new[] { new { id = "m1", role = "user", parts = new[] { new { type = "text", text = "And streams of data?" } } } },
        });
        Assert.Contains("\"finish\"", await sdk.Content.ReadAsStringAsync());
        var later = await StreamAsync("threads.add_user_message", new { thread_id = thread, input = Input("And long tasks?") });

        Assert.Equal("thread.item.done", Type(later[0]));
        // The model sees what was said in the other doors.
        Assert.Contains(_app.Model.Requests[^1].Messages, m => m.Content == "And streams of data?");
        var read = await JsonAsync("threads.get_by_id", new { thread_id = thread }, "Thread");
        Assert.Equal([Question, Answer, "And requests?", Answer, "And streams of data?", Answer, "And long tasks?", Answer], Texts(read.GetProperty("items")));
        var messages = (await (await _app.Client.GetAsync($"/chat/sessions/{session}/messages")).JsonAsync()).GetProperty("items");
        Assert.Equal(Texts(read.GetProperty("items")), messages.EnumerateArray().Select(m => m.GetProperty("content").GetString()));
        // The ids of a stream are those of the list.
        Assert.Equal(Id(later[^1].GetProperty("item")), Id(read.GetProperty("items").GetProperty("data")[7]));
        Assert.Equal(Id(later[0].GetProperty("item")), Id(read.GetProperty("items").GetProperty("data")[6]));
        await ValidateAsync();
    }

    [Fact]
    public async Task A_quoted_text_is_in_the_lists_too()
    {
        _app.Model.Answer("One.").Answer("Two.");
        var thread = Id((await StreamAsync("threads.create", new { input = Input(Question, quoted: "Two ROS 2 nodes talk") }))[0].GetProperty("thread"));
        await StreamAsync("threads.add_user_message", new { thread_id = thread, input = Input("What does a ROS 2 service answer?") });

        foreach (var items in (JsonElement[])
        [
            (await JsonAsync("threads.get_by_id", new { thread_id = thread }, "Thread")).GetProperty("items"),
            await JsonAsync("items.list", new { thread_id = thread, order = "asc" }, "ThreadItemPage"),
        ])
            Assert.Equal(
                ["Two ROS 2 nodes talk", null, null, null],
                items.GetProperty("data").EnumerateArray().Select(i => i.TryGetProperty("quoted_text", out var quoted) ? quoted.GetString() : null));
        await ValidateAsync();
    }

    [Fact]
    public async Task Threads_create_begins_a_thread_of_its_own_whatever_it_names()
    {
        var first = Id((await StreamAsync("threads.create", new { input = Input(Question) }))[0].GetProperty("thread"));

        var response = await _app.Client.PostAsJsonAsync("/chatkit", new { type = "threads.create", @params = new { thread_id = first, input = Input(Question) } });

        var created = (await EventsAsync(response))[0];
        Assert.Equal("thread.created", Type(created));
        Assert.NotEqual(first, Id(created.GetProperty("thread")));
    }

    [Fact]
    public async Task An_annotation_stands_behind_its_marker_and_not_in_code()
    {
        const string answer = "Read `names[1]`, then:\n\n```py\nnodes[1]\n```\n\nNodes talk over topics [1].";
        _app.Model.Answer(answer);

        var content = (await StreamAsync("threads.create", new { input = Input(Question) }))[^1].GetProperty("item").GetProperty("content")[0];

        var index = Assert.Single(content.GetProperty("annotations").EnumerateArray()).GetProperty("index").GetInt32();
        Assert.EndsWith("over topics [1]", content.GetProperty("text").GetString()![..index], StringComparison.Ordinal);
        await ValidateAsync();
    }

    [Fact]
    public async Task A_message_that_is_sent_twice_with_a_key_is_asked_once()
    {
        var key = $"{Guid.NewGuid()}";
        _app.Model.Answer("One.");
        var first = await EventsAsync(await SendAsync());
        var second = await EventsAsync(await SendAsync());

        Assert.Equal(Id(first[^1].GetProperty("item")), Id(second[^1].GetProperty("item")));
        Assert.Equal("One.", second[^1].GetProperty("item").GetProperty("content")[0].GetProperty("text").GetString());

        Task<HttpResponseMessage> SendAsync()
        {
            var request = Request("threads.create", new { input = Input(Question) });
            request.Headers.Add("Idempotency-Key", key);
            return _app.Client.SendAsync(request);
        }
    }

    [Fact]
    public async Task Another_readers_message_is_neither_asked_again_nor_rated()
    {
        var (alice, bob) = (ProfileApp.NewReader(), ProfileApp.NewReader());
        var events = await StreamAsync("threads.create", new { input = Input(Question) }, alice);
        var thread = Id(events[0].GetProperty("thread"));

        foreach (var other in (string?[])[bob, null])
        {
            await (await PostAsync("threads.retry_after_item", new { thread_id = thread, item_id = Id(events[1].GetProperty("item")) }, other)).ProblemAsync(404, "turn_not_found");
            await (await PostAsync("items.feedback", new { thread_id = thread, item_ids = new[] { Id(events[^1].GetProperty("item")) }, kind = "positive" }, other)).ProblemAsync(404, "message_not_found");
        }

        // Nor is the reader's own, where the request names another thread.
        await (await PostAsync("threads.retry_after_item", new { thread_id = $"thr_{Guid.NewGuid()}", item_id = Id(events[1].GetProperty("item")) }, alice)).ProblemAsync(404, "turn_not_found");
        Assert.Equal(0, await _app.ScalarAsync<int>("select count(*) from message_feedback as f join messages as m on m.id = f.message_id where m.session_id = @id::uuid", new { id = thread["thr_".Length..] }));
        Assert.Equal(1, await _app.ScalarAsync<int>("select count(*) from turns where session_id = @id::uuid", new { id = thread["thr_".Length..] }));
        await ValidateAsync();
    }

    [Fact]
    public async Task A_recording_that_is_too_large_is_refused_as_every_large_body_is()
    {
        var response = await PostAsync("input.transcribe", new { audio_base64 = new string('A', 300 * 1024), mime_type = "audio/webm" });

        await response.ProblemAsync(413, "body_too_large");
    }

    [Fact]
    public async Task Items_are_listed_page_by_page_in_both_orders()
    {
        _app.Model.Answer("One.").Answer("Two.");
        var thread = Id((await StreamAsync("threads.create", new { input = Input("What is a topic?") }))[0].GetProperty("thread"));
        await StreamAsync("threads.add_user_message", new { thread_id = thread, input = Input("What is a service?") });

        var newest = await JsonAsync("items.list", new { thread_id = thread, limit = 3 }, "ThreadItemPage");
        var rest = await JsonAsync("items.list", new { thread_id = thread, limit = 3, order = "desc", after = newest.GetProperty("after").GetString() }, "ThreadItemPage");
        var first = await JsonAsync("items.list", new { thread_id = thread, limit = 3, order = "asc" }, "ThreadItemPage");
        var last = await JsonAsync("items.list", new { thread_id = thread, limit = 3, order = "asc", after = first.GetProperty("after").GetString() }, "ThreadItemPage");

        Assert.Equal(["Two.", "What is a service?", "One."], Texts(newest));
        Assert.Equal(["What is a topic?"], Texts(rest));
        Assert.Equal(["What is a topic?", "One.", "What is a service?"], Texts(first));
        Assert.Equal(["Two."], Texts(last));
        Assert.Equal([true, false, true, false], ((JsonElement[])[newest, rest, first, last]).Select(p => p.GetProperty("has_more").GetBoolean()));
        await ValidateAsync();
    }

    [Fact]
    public async Task A_retry_asks_again_and_a_repeat_of_it_follows_the_turn_that_runs()
    {
        var gate = _app.Model.Answer("Badly said.").AnswerInTwo("Over ", "topics.");
        var first = await StreamAsync("threads.create", new { input = Input(Question) });
        var thread = Id(first[0].GetProperty("thread"));
        var retry = new { thread_id = thread, item_id = Id(first[1].GetProperty("item")) };

        var retried = StreamAsync("threads.retry_after_item", retry);
        await gate.WhenReached;
        var repeated = await _app.Client.SendAsync(Request("threads.retry_after_item", retry), HttpCompletionOption.ResponseHeadersRead);
        gate.Open();

        var answer = (await retried)[^1].GetProperty("item");
        Assert.Equal("Over topics.", answer.GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Equal(Id(answer), Id((await EventsAsync(repeated))[^1].GetProperty("item")));
        // The client still knows the item by its first id: once the turn has ended, it may ask once more.
        _app.Model.Answer("Over topics, always.");
        Assert.Equal("Over topics, always.", (await StreamAsync("threads.retry_after_item", retry))[^1].GetProperty("item").GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Equal([Question, "Over topics, always."], Texts((await JsonAsync("threads.get_by_id", new { thread_id = thread }, "Thread")).GetProperty("items")));
        await ValidateAsync();
    }

    [Fact]
    public async Task A_message_that_another_retry_replaced_is_not_asked_again()
    {
        _app.Model.Answer("One.").Answer("Two.").Answer("One, again.");
        var first = await StreamAsync("threads.create", new { input = Input("What is a topic?") });
        var thread = Id(first[0].GetProperty("thread"));
        var second = await StreamAsync("threads.add_user_message", new { thread_id = thread, input = Input("What is a service?") });
        await StreamAsync("threads.retry_after_item", new { thread_id = thread, item_id = Id(first[1].GetProperty("item")) });

        var refused = Assert.Single(await StreamAsync("threads.retry_after_item", new { thread_id = thread, item_id = Id(second[0].GetProperty("item")) }));

        Assert.Equal("error", Type(refused));
        Assert.Equal(["What is a topic?", "One, again."], Texts((await JsonAsync("threads.get_by_id", new { thread_id = thread }, "Thread")).GetProperty("items")));
        await ValidateAsync();
    }

    [Fact]
    public async Task Feedback_rates_the_answer()
    {
        _app.Model.Answer("Over topics.");
        var events = await StreamAsync("threads.create", new { input = Input(Question) });
        var thread = Id(events[0].GetProperty("thread"));
        var answer = Id(events[^1].GetProperty("item"));

        await JsonAsync("items.feedback", new { thread_id = thread, item_ids = new[] { answer }, kind = "negative" }, null);
        var elsewhere = await PostAsync("items.feedback", new { thread_id = $"thr_{Guid.NewGuid()}", item_ids = new[] { answer }, kind = "positive" });

        Assert.Equal("down", await _app.ScalarAsync<string>("select rating from message_feedback as f join messages as m on m.id = f.message_id where m.turn_id = @turn::uuid", new { turn = answer[4..^2] }));
        await elsewhere.ProblemAsync(404, "message_not_found");
        await ValidateAsync();
    }

    [Fact]
    public async Task Threads_are_listed_renamed_and_deleted_by_their_owner()
    {
        var (alice, bob) = (ProfileApp.NewReader(), ProfileApp.NewReader());
        _app.Model.Answer("One.").Answer("Two.").Answer("Nobody's.");
        var first = Id((await StreamAsync("threads.create", new { input = Input("What is a topic?") }, alice))[0].GetProperty("thread"));
        var second = Id((await StreamAsync("threads.create", new { input = Input("What is a service?") }, alice))[0].GetProperty("thread"));
        await StreamAsync("threads.create", new { input = Input(Question) });

        var page = await JsonAsync("threads.list", new { limit = 1, order = "desc" }, "ThreadPage", alice);
        var rest = await JsonAsync("threads.list", new { limit = 1, order = "desc", after = page.GetProperty("after").GetString() }, "ThreadPage", alice);
        Assert.Equal(second, Id(Assert.Single(page.GetProperty("data").EnumerateArray())));
        Assert.Equal(first, Id(Assert.Single(rest.GetProperty("data").EnumerateArray())));
        Assert.Equal([true, false], ((JsonElement[])[page, rest]).Select(p => p.GetProperty("has_more").GetBoolean()));
        // Without a token the list is empty: a conversation of nobody's is found by its id alone.
        Assert.Equal(0, (await JsonAsync("threads.list", new { order = "desc" }, "ThreadPage")).GetProperty("data").GetArrayLength());

        Assert.Equal("Topics", (await JsonAsync("threads.update", new { thread_id = first, title = " Topics " }, "Thread", alice)).GetProperty("title").GetString());
        await (await PostAsync("threads.update", new { thread_id = first, title = "Mine" })).ProblemAsync(401, "token_required");
        foreach (var (type, parameters) in ((string, object)[])
        [
            ("threads.update", new { thread_id = first, title = "Mine" }), ("threads.get_by_id", new { thread_id = first }), ("items.list", new { thread_id = first }),
            ("threads.delete", new { thread_id = first }), ("threads.add_user_message", new { thread_id = first, input = Input(Question) }),
        ])
            await (await PostAsync(type, parameters, bob)).ProblemAsync(404, "session_not_found");

        Assert.Equal("{}", (await JsonAsync("threads.delete", new { thread_id = first }, null, alice)).GetRawText());
        // A thread that was deleted does not begin again.
        await (await PostAsync("threads.add_user_message", new { thread_id = first, input = Input(Question) }, alice)).ProblemAsync(404, "session_not_found");
        Assert.Equal(0, await _app.ScalarAsync<int>("select count(*) from chat_sessions where id = @id::uuid", new { id = first["thr_".Length..] }));
        await ValidateAsync();
    }

    [Fact]
    public async Task A_client_that_hangs_up_finds_the_answer_in_the_thread()
    {
        var gate = _app.Model.AnswerInTwo("Over ", "topics.");
        var request = Request("threads.create", new { input = Input(Question) });
        using var response = await _app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        var created = "";
        while (!created.StartsWith("data: ", StringComparison.Ordinal))
            created = (await lines.ReadLineAsync())!;
        var thread = Id(JsonElement.Parse(created["data: ".Length..]).GetProperty("thread"));
        await gate.WhenReached;

        response.Dispose();
        gate.Open();

        await Until.TrueAsync(
            async () => Texts((await JsonAsync("threads.get_by_id", new { thread_id = thread }, "Thread")).GetProperty("items")).SequenceEqual([Question, "Over topics."]),
            "The answer is not in the thread.");
        await ValidateAsync();
    }

    [Fact]
    public async Task An_answer_that_starts_again_takes_the_place_of_what_was_shown()
    {
        _app.Model.StallAfter("Lost").Answer("Whole.");
        using var response = await _app.Client.SendAsync(Request("threads.create", new { input = Input($"{Question} {Guid.NewGuid()}") }), HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        var events = new List<JsonElement>();
        do
            await ReadAsync();
        while (Update(events[^1]) != "text_delta");

        // As when the process dies: another one takes the turn over.
        var session = Id(events[0].GetProperty("thread"))["thr_".Length..];
        await _app.ExecuteAsync(
            "update turns set attempt = attempt + 1, lease_owner = gen_random_uuid(), lease_until = now() - interval '1 second' where session_id = @session::uuid", new { session });
        do
            await ReadAsync();
        while (Type(events[^1]) is not ("thread.item.done" or "error"));

        Assert.Equal(
            ["thread.item.added", "thread.item.removed", "thread.item.added", "thread.item.done"],
            events.Skip(2).Select(Type).Where(t => t is not ("thread.item.updated" or "stream_options")));
        Assert.Equal("Whole.", events[^1].GetProperty("item").GetProperty("content")[0].GetProperty("text").GetString());

        async Task ReadAsync()
        {
            var line = "";
            while (!line.StartsWith("data: ", StringComparison.Ordinal))
                line = (await lines.ReadLineAsync())!;
            events.Add(JsonElement.Parse(line["data: ".Length..]));
        }
    }

    [Fact]
    public async Task What_keeps_an_answer_back_is_an_error_event_that_the_reader_sees()
    {
        _app.Model.Fail(400, code: "invalid_request_error");
        var failed = await StreamAsync("threads.create", new { input = Input(Question) });
        var empty = await StreamAsync("threads.create", new { input = Input("   ") });
        var wide = await StreamAsync("threads.create", new { input = Input(new string('a', 4_001)) });

        Assert.Equal("error", Type(failed[^1]));
        Assert.True(failed[^1].GetProperty("allow_retry").GetBoolean());
        Assert.Equal("thread.item.removed", Type(failed[^2]));
        Assert.DoesNotContain("UPSTREAM-TEXT", failed[^1].GetRawText(), StringComparison.Ordinal);
        foreach (var refused in (JsonElement[][])[empty, wide])
        {
            Assert.Contains("4000 characters", Assert.Single(refused).GetProperty("message").GetString());
            Assert.False(refused[0].GetProperty("allow_retry").GetBoolean());
        }

        await ValidateAsync();
    }

    [Fact]
    public async Task A_limit_is_an_error_event_that_may_be_retried()
    {
        await using var app = new ChatApp { ["RATE_LIMIT_CHAT"] = "1" };
        await app.InitializeAsync();
        app.Model.Answer("Over topics.");
        await EventsAsync(await app.Client.SendAsync(Request("threads.create", new { input = Input(Question) })));

        var limited = Assert.Single(await EventsAsync(await app.Client.SendAsync(Request("threads.create", new { input = Input(Question) }))));

        Assert.StartsWith("Too many requests", limited.GetProperty("message").GetString());
        Assert.True(limited.GetProperty("allow_retry").GetBoolean());
        await ValidateAsync();
    }

    [Fact]
    public async Task A_citation_links_to_its_heading_where_the_books_address_is_known()
    {
        await using var app = new ChatApp();
        await app.InitializeAsync();
        await app.Services.GetRequiredService<IPassageIndex>().ReplaceAsync(
            new("ros2/topics.md", "Topics", "https://book.example/docs/ros2/topics", "another hash", [new(0, ["How nodes talk"], "how-nodes-talk", "Two ROS 2 nodes talk to each other over topics.")]), default);
        app.Model.Answer("Over topics [1].");

        var events = await EventsAsync(await app.Client.SendAsync(Request("threads.create", new { input = Input(Question) })));

        var source = events[^1].GetProperty("item").GetProperty("content")[0].GetProperty("annotations")[0].GetProperty("source");
        Assert.Equal("url", Type(source));
        Assert.Equal("https://book.example/docs/ros2/topics#how-nodes-talk", source.GetProperty("url").GetString());
        await ValidateAsync();
    }

    [Fact]
    public async Task What_is_not_offered_says_so()
    {
        foreach (var (type, parameters) in ((string, object)[])
        [
            ("threads.add_client_tool_output", new { thread_id = "thr_1", result = new { } }),
            ("threads.add_structured_input", new { thread_id = "thr_1", item_id = "msg_1", input = new { status = "skipped" } }),
            ("threads.custom_action", new { thread_id = "thr_1", action = new { type = "a", payload = new { } } }),
            ("threads.sync_custom_action", new { thread_id = "thr_1", action = new { type = "a", payload = new { } } }),
            ("attachments.create", new { name = "a.png", size = 1, mime_type = "image/png" }),
            ("attachments.delete", new { attachment_id = "atc_1" }),
            ("input.transcribe", new { audio_base64 = "", mime_type = "audio/webm" }),
        ])
        {
            var problem = await (await PostAsync(type, parameters)).ProblemAsync(400, "not_offered");
            Assert.StartsWith(type, problem.GetProperty("detail").GetString());
        }

        await ValidateAsync();
    }

    [Theory]
    [InlineData("""{"type":"threads.create"}""", "params")]
    [InlineData("""{"type":"threads.explode","params":{}}""", "type")]
    [InlineData("""{"params":{}}""", "type")]
    [InlineData("""{"type":"threads.create","params":{}}""", "params.input")]
    [InlineData("""{"type":"threads.create","params":{"input":{"content":[],"attachments":["atc_1"],"inference_options":{}}}}""", "params.input")]
    [InlineData("""{"type":"threads.get_by_id","params":{"thread_id":"0f8fad5b-d9cb-469f-a165-70867728950e"}}""", "params.thread_id")]
    [InlineData("""{"type":"threads.retry_after_item","params":{"thread_id":"thr_0f8fad5b-d9cb-469f-a165-70867728950e","item_id":"msg_0f8fad5b-d9cb-469f-a165-70867728950e_a"}}""", "params.item_id")]
    [InlineData("""{"type":"items.feedback","params":{"thread_id":"thr_0f8fad5b-d9cb-469f-a165-70867728950e","item_ids":[],"kind":"positive"}}""", "params.item_ids")]
    [InlineData("""{"type":"items.list","params":{"thread_id":"thr_0f8fad5b-d9cb-469f-a165-70867728950e","limit":101}}""", "params.limit")]
    [InlineData("""{"type":"threads.list","params":{"order":"asc"}}""", "params.order")]
    [InlineData("""{"type":"threads.list","params":{"after":"7"}}""", "params.after")]
    public async Task A_request_that_is_not_valid_is_told_which_field(string body, string field)
    {
        var response = await _app.Client.PostAsync("/chatkit", new StringContent(body, null, "application/json"));

        Assert.True((await response.ProblemAsync(400, "invalid_request")).GetProperty("errors").TryGetProperty(field, out _), await response.Content.ReadAsStringAsync());
    }

    private static object Input(string text, string? quoted = null) =>
        new { content = new[] { new { type = "input_text", text } }, attachments = Array.Empty<string>(), quoted_text = quoted, inference_options = new { } };

    private async Task<JsonElement[]> StreamAsync(string type, object parameters, string? reader = null) => await EventsAsync(await PostAsync(type, parameters, reader));

    private async Task<JsonElement[]> EventsAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        // Each event is one line of data and nothing else.
        var events = text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(e => e[0] != ':').ToArray();
        Assert.All(events, e => Assert.StartsWith("data: {", e));
        JsonElement[] read = [.. events.Select(e => JsonElement.Parse(e["data: ".Length..]))];
        _seen.AddRange(read.Select(e => ("ThreadStreamEvent", e)));
        _seen.AddRange(read.Where(e => e.TryGetProperty("item", out _)).Select(e => ("ThreadItem", e.GetProperty("item"))));
        return read;
    }

    private async Task<JsonElement> JsonAsync(string type, object parameters, string? schema, string? reader = null)
    {
        var response = await PostAsync(type, parameters, reader);
        var json = await response.JsonAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, json.GetRawText());
        if (schema is not null)
            _seen.Add((schema, json));
        return json;
    }

    private Task<HttpResponseMessage> PostAsync(string type, object parameters, string? reader = null) => _app.Client.SendAsync(Request(type, parameters, reader));

    private HttpRequestMessage Request(string type, object parameters, string? reader = null)
    {
        var body = JsonSerializer.SerializeToElement(new { type, @params = parameters });
        _seen.Add(("ChatKitReq", body));
        var request = new HttpRequestMessage(HttpMethod.Post, "/chatkit") { Content = JsonContent.Create(body) };
        if (reader is not null)
            request.Headers.Authorization = new("Bearer", ProfileApp.Token(reader));
        return request;
    }

    private Task ValidateAsync() => ChatKitSchemas.ValidateAsync(_seen);

    private static IEnumerable<string?> Texts(JsonElement page) =>
        [.. page.GetProperty("data").EnumerateArray().Select(item => item.GetProperty("content")[0].GetProperty("text").GetString())];

    private static string Id(JsonElement json) => json.GetProperty("id").GetString()!;

    private static string Type(JsonElement json) => json.GetProperty("type").GetString()!;

    /// <summary>The last word of an update's type; null for another event.</summary>
    private static string? Update(JsonElement json) => json.TryGetProperty("update", out var update) ? Type(update).Split('.')[^1] : null;

    /// <summary>The service behind a sign-in.</summary>
    public sealed class SignedInApp : IAsyncLifetime
    {
        public ChatApp App { get; } = new() { ["AUTH_SECRET"] = ProfileApp.Secret };

        public ValueTask InitializeAsync() => App.InitializeAsync();

        public ValueTask DisposeAsync() => App.DisposeAsync();
    }
}
