using System.Text.Json;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Tests.Features.Profile;

namespace ChatBackend.Tests.Features.Translate;

public sealed class PostTranslateTests : IAsyncLifetime
{
    private readonly TranslateApp _app = new();

    public ValueTask InitializeAsync() => _app.InitializeAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task A_page_is_translated_with_its_code_links_and_ids()
    {
        var answer = await _app.TranslateAsync(new { text = TranslateApp.Page });

        Assert.Equal(
            """
            # NODES AND TOPICS

            ## HOW NODES TALK {/* #how-nodes-talk */}

            TWO NODES TALK TO EACH OTHER OVER A `topic`, WHICH **ONE** OF THEM [PUBLISHES](./publish.md).

            THE ZERO MOMENT POINT STAYS INSIDE THE SUPPORT POLYGON WHILE THE HUMANOID WALKS.

            ```python
            print("A node")
            ```
            """, answer.GetProperty("translated_text").GetString());
        Assert.Equal("en ur rtl False 4", string.Join(' ', answer.GetProperty("source_language"), answer.GetProperty("target_language"), answer.GetProperty("direction"), answer.GetProperty("cached"), answer.GetProperty("segments")));
        Assert.Empty(answer.GetProperty("warnings").EnumerateArray());
        Assert.Equal(_app.Model.Calls.Count, answer.GetProperty("usage").GetProperty("calls").GetInt32());
        Assert.Equal(_app.Model.Calls.Count * 10, answer.GetProperty("usage").GetProperty("input_tokens").GetInt32());
    }

    [Fact]
    public async Task Heading_ids_are_left_out_or_written_in_the_classic_way()
    {
        Assert.Equal("## ONE WAY OF DOING THE THING", (await _app.TranslateAsync(new { text = "## One way of doing the thing", heading_ids = false })).GetProperty("translated_text").GetString());
        await using var old = new TranslateApp { ["HEADING_IDS"] = "classic" };
        await old.InitializeAsync();
        Assert.Equal("## ONE WAY OF DOING THE THING {#one-way-of-doing-the-thing}", (await old.TranslateAsync(new { text = "## One way of doing the thing" })).GetProperty("translated_text").GetString());
    }

    [Fact]
    public async Task A_stream_has_the_segments_in_order_with_their_blocks_and_then_the_whole()
    {
        const string text = "## The nodes of the graph\n\nOne `node` is <x id=\"0\"/> for the\nother <x id=\"1\"/> and waits.\n\n- the first\n- the second";

        var events = await _app.StreamAsync(new { text, heading_ids = false });

        Assert.Equal([.. Enumerable.Repeat("segment", events.Count - 1), "completed"], events.Select(e => e.Name));
        var segments = events.SkipLast(1).Select(e => e.Data).ToArray();
        Assert.Equal(Enumerable.Range(0, segments.Length), segments.Select(s => s.GetProperty("index").GetInt32()));
        Assert.Equal(
            ["0: ## THE NODES OF THE GRAPH", "1: ONE `node` IS <x id=\"0\"/> FOR THE OTHER <x id=\"1\"/> AND WAITS.", "2: - THE FIRST\n- THE SECOND"],
            from segment in segments where segment.TryGetProperty("block_text", out _) select $"{segment.GetProperty("block")}: {segment.GetProperty("block_text").GetString()}");
        Assert.Equal([0, 1, 2, 2], segments.Select(s => s.GetProperty("block").GetInt32()));
        Assert.Equal((3, 4), (segments[1].GetProperty("first_line").GetInt32(), segments[1].GetProperty("last_line").GetInt32()));
        Assert.Equal(
            "## THE NODES OF THE GRAPH\n\nONE `node` IS <x id=\"0\"/> FOR THE OTHER <x id=\"1\"/> AND WAITS.\n\n- THE FIRST\n- THE SECOND",
            events[^1].Data.GetProperty("translated_text").GetString());
    }

    [Theory]
    [InlineData("""{"text":""}""", "text")]
    [InlineData("{}", "text")]
    [InlineData("""{"text":"a","target_language":"klingon"}""", "target_language")]
    [InlineData("""{"text":"a","target_language":"ur-x-ignore-all"}""", "target_language")]
    [InlineData("""{"text":"a","source_language":"qq"}""", "source_language")]
    [InlineData("""{"text":"a","glossary":{"":"x"}}""", "glossary")]
    [InlineData("""{"text":"a","glossary":{"node":"a\nb"}}""", "glossary")]
    public async Task A_request_that_is_not_valid_is_a_400_that_names_its_field(string body, string field)
    {
        var problem = await (await _app.PostAsync(JsonDocument.Parse(body).RootElement)).ProblemAsync(400, "invalid_request");

        var error = Assert.Single(problem.GetProperty("errors").EnumerateObject());
        Assert.Equal((field, 1), (error.Name, error.Value.GetArrayLength()));
        Assert.Empty(_app.Model.Calls);
    }

    [Fact]
    public async Task A_text_that_is_too_long_is_a_413_that_names_the_limit()
    {
        var problem = await (await _app.PostAsync(new { text = new string('ا', 100_001) })).ProblemAsync(413, "text_too_long");

        Assert.Contains("100,000", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        // The longest takes up to 600 kB as JSON.
        await _app.TranslateAsync(new { text = string.Join("\n\n", Enumerable.Repeat(new string('ا', 98), 1000)), source_language = "ar" });
    }

    [Theory]
    [InlineData("یہ ایک نوڈ ہے جو دوسرے نوڈ سے بات کرتا ہے۔", null, "ur")]
    [InlineData("The nodes talk to each other and to the robot.", null, "en")]
    [InlineData("The nodes talk to each other and to the robot.", "en-US", "en")]
    [InlineData("The nodes talk to each other and to the robot.", null, "en-GB")]
    public async Task A_text_in_the_target_language_is_given_back_without_a_call(string text, string? source, string target)
    {
        var answer = await _app.TranslateAsync(new { text = $"# {text}", target_language = target, source_language = source });

        Assert.Equal($"# {text}", answer.GetProperty("translated_text").GetString());
        Assert.Empty(_app.Model.Calls);
        Assert.Equal("completed", Assert.Single(await _app.StreamAsync(new { text, target_language = target, source_language = source })).Name);
    }

    [Fact]
    public async Task The_model_tells_a_language_that_the_words_do_not_tell_and_is_asked_once()
    {
        await using var app = new TranslateApp { Model = new((text, _) => TranslateApp.Upper(text)) { Language = "yo" } };
        await app.InitializeAsync();

        Assert.Equal("yo", (await app.TranslateAsync(new { text = "Zxqv." })).GetProperty("source_language").GetString());
        Assert.True((await app.TranslateAsync(new { text = "Zxqv." })).GetProperty("cached").GetBoolean());
        Assert.Equal(2, app.Model.Requests.Count);
        Assert.Equal(30, await app.ScalarAsync<int>("select sum(tokens) from token_usage where client = ''"));
        Assert.Equal("Zxqv.", (await app.TranslateAsync(new { text = "Zxqv.", target_language = "yo" })).GetProperty("translated_text").GetString());
        Assert.Equal(2, app.Model.Requests.Count);
    }

    [Fact]
    public async Task Without_a_model_nothing_is_translated_and_the_detail_says_what_to_set()
    {
        await using var app = new ChatBackendApp();
        await app.InitializeAsync();

        var answer = await app.Client.PostAsync("/translate", System.Net.Http.Json.JsonContent.Create(new { text = "The nodes talk." }), TestContext.Current.CancellationToken);

        Assert.Contains("OPENAI_API_KEY", (await answer.ProblemAsync(503, "model_unavailable")).GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_eleventh_translation_in_a_minute_is_refused()
    {
        await using var app = new TranslateApp { ["RATE_LIMIT_TRANSLATE"] = "10" };
        await app.InitializeAsync();
        for (var i = 0; i < 10; i++)
            await app.TranslateAsync(new { text = "The nodes talk to the robot." });

        await (await app.PostAsync(new { text = "The nodes talk to the robot." })).ProblemAsync(429, "rate_limited");
    }

    [Fact]
    public async Task Tokens_count_in_the_budget_and_what_is_stored_costs_none()
    {
        await using var app = new TranslateApp { ["DAILY_TOKENS_PER_CLIENT"] = "15", ["BUDGET_FALLBACK"] = "offline" };
        await app.InitializeAsync();
        await app.TranslateAsync(new { text = "The nodes talk to the robot." });

        await (await app.PostAsync(new { text = "The nodes talk to the others." })).ProblemAsync(429, "budget_spent");

        Assert.Equal(15, await app.ScalarAsync<int>("select sum(tokens) from token_usage where client = ''"));
        Assert.True((await app.TranslateAsync(new { text = "The nodes talk to the robot." })).GetProperty("cached").GetBoolean());
    }

    [Fact]
    public async Task The_model_is_not_asked_for_the_language_when_the_tokens_are_used_up()
    {
        await using var app = new TranslateApp { ["DAILY_TOKENS_PER_CLIENT"] = "15", ["BUDGET_FALLBACK"] = "offline" };
        await app.InitializeAsync();
        await app.TranslateAsync(new { text = "The nodes talk to the robot." });

        await (await app.PostAsync(new { text = "Zxqv." })).ProblemAsync(429, "budget_spent");

        Assert.Single(app.Model.Requests);
    }

    [Theory]
    [InlineData("[](")]
    [InlineData("![](")]
    [InlineData("[](a(")]
    [InlineData("[[a](b) ")]
    [InlineData("[a](b (c ")]
    public async Task Links_that_do_not_end_are_refused_before_they_cost_seconds(string link)
    {
        var problem = await (await _app.PostAsync(new { text = string.Concat(Enumerable.Repeat(link, 100_000 / link.Length)) })).ProblemAsync(400, "invalid_request");

        Assert.Contains("links that do not end", problem.GetProperty("errors").GetProperty("text")[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Terms_of_the_request_and_of_the_file_are_kept()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "[ur]\nnode = NOEUD\n", TestContext.Current.CancellationToken);
        try
        {
            await using var app = new TranslateApp
            {
                ["GLOSSARY"] = file,
                Model = new((text, problem) => problem is null ? TranslateApp.Upper(text) : "NOEUD, ROBOTER und topic."),
            };
            await app.InitializeAsync();

            var answer = await app.TranslateAsync(new { text = "The node and the robot and the topic.", glossary = new { robot = "ROBOTER", topic = (string?)null } });

            Assert.Equal("NOEUD, ROBOTER und topic.", answer.GetProperty("translated_text").GetString());
            Assert.Contains("node = NOEUD; robot = ROBOTER; topic (stays as it is).", app.Model.Requests.First().Messages[0].Content, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task What_is_translated_is_given_when_the_model_fails_for_the_rest()
    {
        var isDown = true;
        await using var app = new TranslateApp
        {
            Model = new((text, _) => TranslateApp.Upper(text))
            {
                Before = (texts, _) => isDown && texts.Any(t => t.Contains("second", StringComparison.Ordinal))
                    ? throw new ModelException(ModelFailure.Unavailable, "The model is busy.")
                    : Task.CompletedTask,
            },
            ["TranslationLimits:FirstCallTokens"] = "10",
        };
        await app.InitializeAsync();
        const string text = "The first of the two paragraphs stands here, and it is long enough.\n\nThe second of the two paragraphs is not.";

        var answer = await app.TranslateAsync(new { text });

        Assert.EndsWith("LONG ENOUGH.\n\nThe second of the two paragraphs is not.", answer.GetProperty("translated_text").GetString(), StringComparison.Ordinal);
        var warning = Assert.Single(answer.GetProperty("warnings").EnumerateArray());
        Assert.Equal("3 This passage is not translated. The model is busy.", $"{warning.GetProperty("line")} {warning.GetProperty("message")}");

        isDown = false;
        var again = await app.TranslateAsync(new { text });
        Assert.Empty(again.GetProperty("warnings").EnumerateArray());
        Assert.Equal(1, again.GetProperty("usage").GetProperty("calls").GetInt32());
    }

    [Fact]
    public async Task Nothing_is_answered_with_the_original_when_the_model_fails_for_all()
    {
        await using var app = new TranslateApp
        {
            Model = new((text, _) => text) { Before = (_, _) => throw new ModelException(ModelFailure.Unavailable, "The model is busy.") },
        };
        await app.InitializeAsync();

        await (await app.PostAsync(new { text = TranslateApp.Page })).ProblemAsync(503, "model_unavailable");
        var error = Assert.Single(await app.StreamAsync(new { text = TranslateApp.Page }));
        Assert.Equal(("error", "model_unavailable"), (error.Name, error.Data.GetProperty("code").GetString()));
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from translations"));
    }

    [Fact]
    public async Task The_translations_of_a_readers_own_texts_are_in_their_download_until_the_profile_is_erased()
    {
        var reader = ProfileApp.NewReader();
        await _app.TranslateAsync(new { text = "A note of the `reader`'s own." }, reader);
        await _app.TranslateAsync(new { text = "A note of somebody else." }, ProfileApp.NewReader());

        var stored = Assert.Single((await (await _app.SendAsync(reader, HttpMethod.Get, "/profile/export")).JsonAsync()).GetProperty("translations").EnumerateArray());
        Assert.Equal("A NOTE OF THE <x1/>'S OWN.", stored.GetProperty("text").GetString());
        Assert.Matches("^20[0-9]{2}-[0-9]{2}-[0-9]{2}$", stored.GetProperty("used_on").GetString());
        Assert.Equal(1, await _app.ScalarAsync<int>("select count(*) from translations where scope = @scope", new { scope = $"user {reader}" }));

        await _app.SendAsync(reader, HttpMethod.Delete, "/profile");

        Assert.Equal(0, await _app.ScalarAsync<int>("select count(*) from translations where scope = @scope", new { scope = $"user {reader}" }));
    }
}
