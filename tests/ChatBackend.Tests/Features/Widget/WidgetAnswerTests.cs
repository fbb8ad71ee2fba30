using static Microsoft.Playwright.Assertions;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>An answer as it is written, whatever happens meanwhile, and what a reader does with it.</summary>
[Collection(nameof(WidgetSite))]
public sealed class WidgetAnswerTests(WidgetSite site)
{
    private const string First = "Nodes talk over topics [1]. One node";
    private const string Second = "publishes, the other subscribes.";
    private const string Whole = "Nodes talk over topics 1. One node" + Second;

    [Fact]
    public async Task An_answer_shows_while_it_is_written_and_then_its_sources()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        var gate = site.Model.AnswerInTwo(First, Second);

        await reader.AskAsync(WidgetSite.Question);
        await Expect(reader.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");
        await Expect(reader.Button("Stop")).ToBeVisibleAsync();
        await Expect(reader.Turns.Last.Locator(".sources")).ToBeHiddenAsync();
        gate.Open();

        await Expect(reader.LastAnswer).ToHaveTextAsync(Whole);
        await Expect(reader.Turns.Last.Locator(".sources li").First).ToContainTextAsync("Nodes and Topics");
        await Expect(reader.Button("Stop")).ToBeHiddenAsync();
        Assert.Empty(reader.Complaints);
    }

    [Fact]
    public async Task A_stream_that_drops_goes_on_where_it_ended()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        var gate = site.Model.AnswerInTwo(First, Second);
        await reader.AskAsync(WidgetSite.Question);
        await Expect(reader.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");

        var resuming = reader.Page.WaitForRequestAsync(r => r.Url.EndsWith("/events", StringComparison.Ordinal));
        site.Relay.Cut();
        var resumed = await resuming;
        gate.Open();

        await Expect(reader.LastAnswer).ToHaveTextAsync(Whole);
        Assert.Matches(@"^\d+\.\d+\.\d+$", (await resumed.AllHeadersAsync())["last-event-id"]);
        Assert.Single(reader.Requests, r => r.Method == "POST" && r.Url.EndsWith("/chat", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_question_whose_reply_is_lost_is_asked_once()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        var keys = new List<string>();
        await reader.Page.RouteAsync("**/chat", async route =>
        {
            keys.Add((await route.Request.AllHeadersAsync())["idempotency-key"]);
            if (keys.Count > 1)
            {
                await route.ContinueAsync();
                return;
            }

            await route.FetchAsync();
            await route.AbortAsync();
        });

        await reader.AnswerAsync();

        await Expect(reader.LastAnswer).ToContainTextAsync("Nodes talk to each other over topics");
        Assert.Equal(2, keys.Count);
        Assert.Single(keys.Distinct());
        Assert.Equal(1, await TurnsAsync(reader));
    }

    [Fact]
    public async Task An_answer_that_could_not_be_followed_for_long_is_taken_up_again_at_a_press()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        var gate = site.Model.AnswerInTwo(First, Second);
        await reader.AskAsync(WidgetSite.Question);
        await Expect(reader.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");
        await reader.Page.Clock.InstallAsync();
        try
        {
            site.Relay.Service = null;
            site.Relay.Cut();
            await Until.TrueAsync(
                async () =>
                {
                    await reader.Page.Clock.FastForwardAsync(8_000);
                    return (await reader.State.TextContentAsync())!.StartsWith("You are offline, or the service cannot be reached.", StringComparison.Ordinal);
                },
                "It is never given up.");
            gate.Open();
        }
        finally
        {
            site.Relay.Service = site.Process.Client.BaseAddress;
        }

        await Expect(reader.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");
        await reader.Button("Try again").ClickAsync();

        await Expect(reader.LastAnswer).ToHaveTextAsync(Whole);
        await Expect(reader.State).ToHaveTextAsync("");
        await Expect(reader.Button("Try again")).ToHaveCountAsync(0);
        Assert.Equal(1, await TurnsAsync(reader));
    }

    [Fact]
    public async Task An_answer_is_written_again_when_the_service_was_killed_and_has_started_again()
    {
        var doomed = await site.StartAsync(("Turns__Lease", "00:00:05"));
        site.Relay.Service = doomed.Client.BaseAddress;
        try
        {
            await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
            site.Model.AnswerInTwo(First, Second);
            site.Model.Answer("The second process says: over topics [1].");
            await reader.AskAsync(WidgetSite.Question);
            await Expect(reader.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");

            site.Relay.Service = null;
            doomed.Kill();
            await Expect(reader.State).ToHaveTextAsync("Connecting again…");
            site.Relay.Service = site.Process.Client.BaseAddress;

            await Expect(reader.LastAnswer).ToHaveTextAsync("The second process says: over topics 1.");
            await Expect(reader.Turns).ToHaveCountAsync(1);
        }
        finally
        {
            site.Relay.Service = site.Process.Client.BaseAddress;
            await doomed.DisposeAsync();
        }
    }

    [Fact]
    public async Task An_answer_under_way_survives_a_reload_and_shows_in_another_tab()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await using var tab = await (await reader.OpenTabAsync()).OpenPanelAsync();
        var gate = site.Model.AnswerInTwo(First, Second);
        await reader.AskAsync(WidgetSite.Question);

        await Expect(tab.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");
        await reader.ReloadAsync();
        await reader.OpenPanelAsync();
        await Expect(reader.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");
        gate.Open();

        await Expect(reader.LastAnswer).ToHaveTextAsync(Whole);
        await Expect(tab.LastAnswer).ToHaveTextAsync(Whole);
    }

    [Fact]
    public async Task A_stopped_answer_keeps_what_was_written_also_after_a_reload()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        site.Model.AnswerInTwo(First, Second);
        await reader.AskAsync(WidgetSite.Question);
        await Expect(reader.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");

        await reader.Button("Stop").ClickAsync();

        await Expect(reader.State).ToHaveTextAsync("Stopped.");
        await Expect(reader.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");
        await reader.ReloadAsync();
        await reader.OpenPanelAsync();
        await Expect(reader.State).ToHaveTextAsync("Stopped.");
    }

    [Fact]
    public async Task A_question_is_stopped_also_before_the_service_has_named_its_turn()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        var held = new TaskCompletionSource();
        await reader.Page.RouteAsync("**/chat", async route =>
        {
            await held.Task;
            await route.ContinueAsync();
        });
        site.Model.AnswerInTwo(First, Second);
        await reader.AskAsync(WidgetSite.Question);

        await reader.Button("Stop").ClickAsync();
        held.SetResult();

        await Expect(reader.State).ToHaveTextAsync("Stopped.");
    }

    [Fact]
    public async Task An_answer_that_was_cut_says_so_also_after_a_reload()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        site.Model.TruncateAfter(First);
        await reader.AnswerAsync();
        await Expect(reader.State).ToContainTextAsync("This answer is not complete.");

        await reader.ReloadAsync();
        await reader.OpenPanelAsync();

        await Expect(reader.LastAnswer).ToHaveTextAsync("Nodes talk over topics 1. One node");
        await Expect(reader.State).ToContainTextAsync("This answer is not complete.");
    }

    [Fact]
    public async Task Asking_again_replaces_the_answer()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.AnswerAsync();
        site.Model.Answer("In other words, nodes talk over topics [1].");
        await reader.Button("Good answer").ClickAsync();
        await Expect(reader.Button("Good answer")).ToHaveAttributeAsync("aria-pressed", "true");

        await reader.Button("Ask again").ClickAsync();

        await Expect(reader.LastAnswer).ToHaveTextAsync("In other words, nodes talk over topics 1.");
        await Expect(reader.Turns).ToHaveCountAsync(1);
        // The rating was of the old answer.
        await Expect(reader.Button("Good answer")).ToHaveAttributeAsync("aria-pressed", "false");
        await reader.ReloadAsync();
        await reader.OpenPanelAsync();
        await Expect(reader.LastAnswer).ToHaveTextAsync("In other words, nodes talk over topics 1.");
        await Expect(reader.Turns).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task An_answer_is_copied_with_the_addresses_of_its_sources()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.AnswerAsync();

        await reader.Button("Copy").ClickAsync();

        await Expect(reader.Button("Copied")).ToBeVisibleAsync();
        var copied = await reader.Page.EvaluateAsync<string>("() => navigator.clipboard.readText()");
        Assert.StartsWith(WidgetSite.Answer + "\n[1] Nodes and Topics", copied);
        Assert.Contains($": {WidgetSite.Address}docs/ros2/nodes-and-topics", copied);
    }

    [Fact]
    public async Task A_rating_and_its_comment_are_kept()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.AnswerAsync();

        await reader.Button("Bad answer").ClickAsync();
        await reader.Panel.GetByLabel("What was missing").FillAsync("An example.");
        await reader.Button("Send").ClickAsync();

        await Expect(reader.Turns.Last).ToContainTextAsync("Thank you.");
        Assert.Equal("down An example.", await site.Services.ScalarAsync<string>(
            "select f.rating || ' ' || f.comment from message_feedback as f join messages as m on m.id = f.message_id where m.session_id = @id",
            new { id = Guid.Parse((await reader.SessionAsync())!) }));
        await reader.ReloadAsync();
        await reader.OpenPanelAsync();
        await Expect(reader.Button("Bad answer")).ToHaveAttributeAsync("aria-pressed", "true");
        await Expect(reader.Button("Good answer")).ToHaveAttributeAsync("aria-pressed", "false");
    }

    [Fact]
    public async Task An_answer_that_the_book_does_not_support_says_so_also_after_a_reload()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        site.Model.Answer("The book does not say this.");
        await reader.AnswerAsync("What does a ROS 2 node cost in Paris?");
        var said = await reader.State.TextContentAsync();

        await reader.ReloadAsync();
        await reader.OpenPanelAsync();

        Assert.Contains(said, (string[])["The book answers this only in part.", "The book has nothing on this."]);
        await Expect(reader.State).ToHaveTextAsync(said!);
    }

    [Fact]
    public async Task A_new_conversation_begins_empty_and_a_deleted_one_is_gone()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.AnswerAsync();
        var first = await reader.SessionAsync();

        await reader.Button("New conversation").ClickAsync();
        await Expect(reader.Turns).ToHaveCountAsync(0);
        Assert.Null(await reader.SessionAsync());
        await reader.AnswerAsync();
        var second = await reader.SessionAsync();
        await reader.Button("Delete this conversation").ClickAsync();
        await reader.Panel.Locator(".confirm button").First.ClickAsync();

        await Expect(reader.Turns).ToHaveCountAsync(0);
        Assert.Null(await reader.SessionAsync());
        Assert.Equal(1, await site.Services.ScalarAsync<int>("select count(*) from chat_sessions where id = any(@ids)", new { ids = new[] { Guid.Parse(first!), Guid.Parse(second!) } }));
    }

    [Fact]
    public async Task Earlier_questions_of_a_long_conversation_are_shown_at_a_press()
    {
        string[] questions = ["What do ROS 2 nodes publish?", "What do ROS 2 nodes subscribe to?", "What is a topic of ROS 2 nodes?"];
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        foreach (var (index, question) in questions.Index())
        {
            await reader.AnswerAsync(question);
            await Expect(reader.Button("Ask again")).ToHaveCountAsync(index + 1);
        }

        await reader.ReloadAsync();
        // Three messages instead of a hundred: the first of them is an answer whose question is on the page before.
        await reader.Page.RouteAsync("**/messages?limit=100*", route => route.ContinueAsync(new() { Url = route.Request.Url.Replace("limit=100", "limit=3", StringComparison.Ordinal) }));
        await reader.OpenPanelAsync();
        await Expect(reader.Turns).ToHaveCountAsync(1);
        await Expect(reader.Turns.Last.Locator(".question")).ToContainTextAsync(questions[^1]);

        await reader.Button("Show earlier questions").ClickAsync();

        await Expect(reader.Turns.Locator(".question")).ToContainTextAsync(questions);
        await Expect(reader.Turns.Locator(".answer")).ToContainTextAsync(["Nodes talk to each other", "Nodes talk to each other", "Nodes talk to each other"]);
        await Expect(reader.LastAnswer).ToBeInViewportAsync();
        await Expect(reader.Button("Show earlier questions")).ToHaveCountAsync(0);
        Assert.Empty(reader.Complaints);
    }

    [Fact]
    public async Task A_conversation_that_is_deleted_in_one_tab_leaves_the_other()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.AnswerAsync();
        await using var tab = await (await reader.OpenTabAsync()).OpenPanelAsync();
        await Expect(tab.Turns).ToHaveCountAsync(1);

        await reader.Button("Delete this conversation").ClickAsync();
        await reader.Panel.Locator(".confirm button").First.ClickAsync();

        await Expect(tab.Turns).ToHaveCountAsync(0);
        await Expect(tab.Panel).ToContainTextAsync("Ask anything about");
    }

    [Fact]
    public async Task A_tab_is_told_of_a_deletion_also_when_the_conversations_id_is_gone_already()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.AnswerAsync();
        await using var tab = await (await reader.OpenTabAsync()).OpenPanelAsync();
        await Expect(tab.Turns).ToHaveCountAsync(1);
        var session = await reader.SessionAsync();

        await reader.Page.EvaluateAsync("() => localStorage.removeItem('chatbackend-session')");
        await tab.Page.WaitForFunctionAsync("() => localStorage.getItem('chatbackend-session') === null");
        await reader.Page.EvaluateAsync("id => new BroadcastChannel('chatbackend').postMessage(id)", session);

        await Expect(tab.Turns).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task The_sessions_id_is_all_that_is_stored()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        const string Stored = "() => JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage), document.cookie])";
        var before = await reader.Page.EvaluateAsync<string>(Stored);
        await reader.AnswerAsync();

        await reader.Page.EvaluateAsync("() => { window.session = localStorage.getItem('chatbackend-session'); localStorage.removeItem('chatbackend-session') }");

        Assert.Equal(before, await reader.Page.EvaluateAsync<string>(Stored));
        Assert.True(Guid.TryParse(await reader.Page.EvaluateAsync<string>("() => window.session"), out _));
    }

    private async Task<int> TurnsAsync(WidgetPage reader) =>
        await site.Services.ScalarAsync<int>("select count(*) from turns where session_id = @id", new { id = Guid.Parse((await reader.SessionAsync())!) });
}
