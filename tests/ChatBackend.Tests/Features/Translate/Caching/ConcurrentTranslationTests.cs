using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Features.Translate.Caching;
using ChatBackend.Tests.Features.Chat;
using ChatBackend.Tests.Features.Translate.Translating;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Database;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ChatBackend.Tests.Features.Translate.Caching;

/// <summary>Requests at the same time, on several replicas, with processes, clients and connections that go away.</summary>
public sealed class ConcurrentTranslationTests
{
    private const string Text = "The first of the two paragraphs stands here, and it is long enough.\n\nThe second of the two paragraphs stands below it.";

    [Fact]
    public async Task Two_replicas_at_once_cost_one_translation_of_each_segment()
    {
        var gate = new TaskCompletionSource();
        StubTranslator Model() => new((text, _) => TranslateApp.Upper(text)) { Before = (_, _) => gate.Task };
        await using var one = new TranslateApp { Model = Model() };
        await one.InitializeAsync();
        await using var other = new TranslateApp { Model = Model(), ["DATABASE_URL"] = one.Database };
        await other.InitializeAsync();

        var asking = new[] { one.TranslateAsync(new { text = TranslateApp.Page }), other.TranslateAsync(new { text = TranslateApp.Page }), other.TranslateAsync(new { text = TranslateApp.Page }) };
        await Until.TrueAsync(() => one.Model.Calls.Count + other.Model.Calls.Count > 0, "Nobody asks the model.");
        // All of them have looked for the segments when the model answers.
        await Until.TrueAsync(async () => await one.ScalarAsync<int>("select count(*) from translations where claimed_by is not null") == 4, "Not all segments are claimed.");
        gate.SetResult();
        var answers = await Task.WhenAll(asking);

        Assert.Single(answers.Select(a => a.GetProperty("translated_text").GetString()).Distinct());
        var texts = one.Model.Calls.Concat(other.Model.Calls).SelectMany(call => call).ToArray();
        Assert.Equal(4, texts.Length);
        Assert.Equal(4, texts.Distinct().Count());
    }

    [Fact]
    public async Task What_a_dead_process_was_translating_is_taken_over()
    {
        await using var service = await ServiceWithModel.CreateAsync();
        service.Model.Default = Translate;
        service.Model.Hang();
        (string, string)[] settings = [("TranslationCache__Lease", "00:00:03"), ("TranslationCache__Renewal", "00:00:01")];
        await using var dying = service.Start(settings);
        await using var living = service.Start(settings);
        await dying.WaitUntilReadyAsync();
        await living.WaitUntilReadyAsync();
        var lost = dying.Client.PostAsync("/translate", JsonContent.Create(new { text = "The nodes talk to the robot." }), TestContext.Current.CancellationToken);
        await Until.TrueAsync(() => service.Model.Requests.Count == 1, "The model was not asked.");
        var asking = living.Client.PostAsync("/translate", JsonContent.Create(new { text = "The nodes talk to the robot." }), TestContext.Current.CancellationToken);

        dying.Kill();

        var answer = await (await asking).JsonAsync();
        Assert.Equal("THE NODES TALK TO THE ROBOT.", answer.GetProperty("translated_text").GetString());
        Assert.Equal(2, service.Model.Requests.Count);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => lost);
    }

    [Fact]
    public async Task A_translation_that_takes_longer_than_the_lease_is_waited_for()
    {
        var gate = new TaskCompletionSource();
        await using var one = new TranslateApp
        {
            Model = new((text, _) => TranslateApp.Upper(text)) { Before = (_, _) => gate.Task },
            ["TranslationCache:Lease"] = "00:00:05",
            ["TranslationCache:Renewal"] = "00:00:00.100",
        };
        await one.InitializeAsync();
        var asking = one.TranslateAsync(new { text = "The nodes talk to the robot." });
        await Until.TrueAsync(() => one.Model.Calls.Count == 1, "The model was not asked.");
        var until = await one.ScalarAsync<DateTime>("select claimed_until from translations");

        await Until.TrueAsync(async () => await one.ScalarAsync<DateTime>("select claimed_until from translations") > until, "The claim was not renewed.");

        gate.SetResult();
        await asking;
        Assert.Single(one.Model.Calls);
    }

    [Fact]
    public async Task A_client_that_leaves_stops_the_calls_that_have_not_begun()
    {
        await using var app = await LeftByItsClientAsync(string.Join("\n\n", Enumerable.Range(0, 2_000).Select(n => $"The sentence number {n} of the text.")), callTokens: "1");

        // Some begin before the server notices.
        Assert.InRange(app.Model.Calls.Count, 1, 1_999);
        Assert.Equal(app.Model.Calls.Count, await app.ScalarAsync<int>("select count(*) from translations"));
    }

    [Fact]
    public async Task A_client_that_comes_back_pays_for_what_is_missing()
    {
        await using var app = await LeftByItsClientAsync(Text, callTokens: "10");

        // Whether the second call had begun or not: what was paid for is stored, and is not paid for again.
        Assert.Equal(app.Model.Calls.Count, await app.ScalarAsync<int>("select count(*) from translations"));
        Assert.NotEmpty(app.Model.Calls);
        var answer = await app.TranslateAsync(new { text = Text });
        Assert.Equal(Text.ToUpperInvariant(), answer.GetProperty("translated_text").GetString());
        Assert.Equal(2, app.Model.Calls.Count);
        Assert.Equal(2, app.Model.Calls.SelectMany(call => call).Distinct().Count());
    }

    [Fact]
    public async Task A_lost_reply_of_the_database_costs_no_second_call_and_a_failed_store_costs_the_reader_nothing()
    {
        await using var app = new TranslateApp();
        await app.InitializeAsync();
        await using var relay = new DatabaseRelay(app.Database);
        await using var behind = new TranslateApp { ["DATABASE_URL"] = relay.ConnectionString, ["TranslationCache:StorePatience"] = "00:00:00.500" };
        await behind.InitializeAsync();
        _ = behind.Client;
        relay.LoseAnswerTo("insert into translations");
        relay.LoseAnswerTo("set translation =");

        Assert.Equal("THE NODES TALK TO THE ROBOT.", (await behind.TranslateAsync(new { text = "The nodes talk to the robot." })).GetProperty("translated_text").GetString());

        Assert.Equal(2, relay.Lost);
        Assert.Single(behind.Model.Calls);
        Assert.True((await behind.TranslateAsync(new { text = "The nodes talk to the robot." })).GetProperty("cached").GetBoolean());

        relay.Drop("set translation =");
        Assert.Equal("THE OTHERS LISTEN TO IT.", (await behind.TranslateAsync(new { text = "The others listen to it." })).GetProperty("translated_text").GetString());
        relay.Drop(null);
        Assert.Equal(1, await app.ScalarAsync<int>("select count(*) from translations"));
    }

    [Fact]
    public async Task A_database_that_is_away_for_a_moment_costs_nothing_that_is_paid_for()
    {
        await using var app = new TranslateApp();
        await app.InitializeAsync();
        await using var relay = new DatabaseRelay(app.Database);
        await using var behind = new TranslateApp { ["DATABASE_URL"] = relay.ConnectionString, ["TranslationCache:StorePatience"] = "00:05:00" };
        await behind.InitializeAsync();
        _ = behind.Client;
        relay.Drop("set translation =");

        using var stream = new EventStream(await behind.PostAsync(new { text = "The nodes talk to the robot." }, accept: "text/event-stream"));

        // The reader need not wait for the database.
        Assert.Equal("THE NODES TALK TO THE ROBOT.", (await stream.NextAsync())!.Data.GetProperty("text").GetString());
        relay.Drop(null);
        Assert.Equal("completed", Assert.Single(await stream.AllAsync()).Name);
        Assert.True((await behind.TranslateAsync(new { text = "The nodes talk to the robot." })).GetProperty("cached").GetBoolean());
        Assert.Single(behind.Model.Calls);
    }

    [Fact]
    public async Task Translations_that_nobody_used_for_long_are_deleted()
    {
        await using var app = new TranslateApp();
        await app.InitializeAsync();
        await app.TranslateAsync(new { text = "The nodes talk to the robot." });
        await app.ExecuteAsync(
            """
            insert into translations (scope, key, translation, used_on)
            select scope, decode(md5(days::text || scope), 'hex'), 'x', current_date - days
            from unnest(array['book', 'client a', 'user a']) as s (scope), unnest(array[1, 3, 89, 91]) as d (days)
            """);

        var deleted = await app.Services.GetServices<IHostedService>().OfType<UnusedTranslations>().Single().DeleteAsync(TestContext.Current.CancellationToken);

        Assert.Equal(5, deleted);
        Assert.Equal(
            "book:1,3,89 client a:1 user a:1,3,89",
            await app.ScalarAsync<string>(
                """
                select string_agg(scope || ':' || days, ' ' order by scope)
                from (select scope, string_agg((current_date - used_on)::text, ',' order by used_on desc) as days from translations where translation = 'x' group by scope) as s
                """));
    }

    [Fact]
    public async Task A_translation_that_is_used_stays()
    {
        await using var app = new TranslateApp();
        await app.InitializeAsync();
        await app.TranslateAsync(new { text = "The nodes talk to the robot." });
        await app.ExecuteAsync("update translations set used_on = current_date - 80");

        await app.TranslateAsync(new { text = "The nodes talk to the robot." });

        Assert.True(await app.ScalarAsync<bool>("select used_on = current_date from translations"));
    }

    private static string Translate(StubRequest request)
    {
        using var message = JsonDocument.Parse(request.Messages[^1].Content);
        return JsonSerializer.Serialize(new
        {
            segments = message.RootElement.GetProperty("segments").EnumerateArray()
                .Select(s => new { id = s.GetProperty("id").GetInt32(), text = TranslateApp.Upper(s.GetProperty("text").GetString()!) }),
        });
    }

    /// <summary>A service whose client left during the first call to the model, after it has stored what it translated nevertheless.</summary>
    private static async Task<TranslateApp> LeftByItsClientAsync(string text, string callTokens)
    {
        var (reached, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        var app = new TranslateApp
        {
            Model = new((segment, _) => TranslateApp.Upper(segment))
            {
                Before = (_, _) =>
                {
                    reached.TrySetResult();
                    return gate.Task;
                },
            },
            ["TranslationLimits:FirstCallTokens"] = callTokens,
            ["TranslationLimits:LeastCallTokens"] = callTokens,
            ["TranslationLimits:MostCallTokens"] = callTokens,
            ["TranslationLimits:CallsPerDocument"] = "1",
        };
        await app.InitializeAsync();
        using var leaving = new CancellationTokenSource();
        var asking = app.PostAsync(new { text }, cancellationToken: leaving.Token);
        await reached.Task;

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        gate.SetResult();
        await Until.TrueAsync(async () => !await app.ScalarAsync<bool>("select exists (select from translations where claimed_by is not null)"), "The claims were not released.");
        return app;
    }
}
