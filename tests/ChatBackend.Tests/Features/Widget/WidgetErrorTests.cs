using ChatBackend.Tests.Infrastructure.Database;
using static Microsoft.Playwright.Assertions;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>What a reader is told when something fails, and readers who sign in and out.</summary>
[Collection(nameof(WidgetSite))]
public sealed class WidgetErrorTests(WidgetSite site)
{
    [Fact]
    public async Task Offline_is_said_and_the_question_can_be_asked_again_later()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.Page.Context.SetOfflineAsync(true);

        await reader.AskAsync(WidgetSite.Question);
        await Expect(reader.State).ToHaveTextAsync("You are offline, or the service cannot be reached. Check the connection and try again.");
        await reader.Page.Context.SetOfflineAsync(false);
        await reader.Button("Try again").ClickAsync();

        await Expect(reader.LastAnswer).ToContainTextAsync("Nodes talk to each other over topics");
        await Expect(reader.Turns).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task A_site_that_the_service_does_not_let_in_is_told_in_the_console_what_to_set()
    {
        await using var reader = await (await site.OpenAsync("http://refused.example/base/docs/intro")).OpenPanelAsync();

        await reader.AskAsync(WidgetSite.Question);

        await Expect(reader.State).ToHaveTextAsync("This site may not use the service yet. Its owner finds the reason in the browser console.");
        var complaint = $"ChatBackend: the service at {site.Relay.Address.GetLeftPart(UriPartial.Authority)} refuses this site. Add http://refused.example to its FRONTEND_URL.";
        await Until.TrueAsync(() => reader.Complaints.Contains(complaint), $"The console does not say: {complaint}");
    }

    [Fact]
    public async Task Too_many_questions_are_counted_down_to_the_next()
    {
        await using var strict = await site.StartAsync(("RATE_LIMIT_CHAT", "1"));
        site.Relay.Service = strict.Client.BaseAddress;
        try
        {
            await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
            await reader.AnswerAsync();

            await reader.AskAsync("What is a topic of ROS 2 nodes?");

            await Expect(reader.State).ToContainTextAsync("Too many requests. Try again in ");
            await Expect(reader.Button("Try again")).ToBeDisabledAsync();
            var first = Seconds(await reader.State.TextContentAsync());
            Assert.InRange(first, 1, 60);
            await Until.TrueAsync(async () => Seconds(await reader.State.TextContentAsync()) < first, "The seconds are not counted down.");
        }
        finally
        {
            site.Relay.Service = site.Process.Client.BaseAddress;
            site.Relay.Cut();
        }

        static int Seconds(string? sentence) => int.Parse(sentence!.Split(' ')[^2]);
    }

    [Fact]
    public async Task A_model_that_fails_is_a_sentence_and_the_question_can_be_asked_again()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        site.Model.Fail(503, times: 10);

        await reader.AskAsync(WidgetSite.Question);
        await Expect(reader.State).ToHaveTextAsync("The answer could not be written just now. Try again in a moment.");
        site.Model.Clear();
        await reader.Button("Try again").ClickAsync();

        await Expect(reader.LastAnswer).ToContainTextAsync("Nodes talk to each other over topics");
        await Expect(reader.Turns).ToHaveCountAsync(1);
        // The failed turn is replaced, also in what is stored.
        await reader.ReloadAsync();
        await reader.OpenPanelAsync();
        await Expect(reader.LastAnswer).ToContainTextAsync("Nodes talk to each other over topics");
        await Expect(reader.Turns).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task A_database_that_is_away_is_a_sentence_and_a_press_goes_on_once_it_is_back()
    {
        await using var database = new DatabaseRelay(site.Services.Database);
        await using var process = await site.StartAsync(("DATABASE_URL", database.ConnectionString));
        site.Relay.Service = process.Client.BaseAddress;
        try
        {
            await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
            await reader.AnswerAsync();
            await reader.ReloadAsync();
            database.Refuse();

            await reader.OpenPanelAsync();
            await Expect(reader.Panel.Locator(".notice")).ToContainTextAsync("The service is not available just now. Try again in a moment.");
            await reader.AskAsync("What is a topic of ROS 2 nodes?");
            await Expect(reader.State).ToHaveTextAsync("The answer could not be written just now. Try again in a moment.");
            database.Allow();
            await reader.Button("Try again").Last.ClickAsync();

            await Expect(reader.LastAnswer).ToContainTextAsync("Nodes talk to each other over topics");
            await reader.Button("Try again").ClickAsync();
            await Expect(reader.Turns).ToHaveCountAsync(2);
            await Expect(reader.Panel.Locator(".notice")).ToHaveCountAsync(0);
        }
        finally
        {
            database.Allow();
            site.Relay.Service = site.Process.Client.BaseAddress;
            site.Relay.Cut();
        }
    }

    [Fact]
    public async Task A_token_that_has_run_out_is_asked_for_once_more()
    {
        var expired = WidgetSite.Token("once", hours: -1);
        await using var reader = await (await site.OpenAsync(before:
            $$"""window.asked = []; window.chatbackend = { token: async how => { window.asked.push(how.isAgain); return how.isAgain ? '{{WidgetSite.Token("once")}}' : '{{expired}}' } }""")).OpenPanelAsync();
        await reader.AnswerAsync();

        Assert.Contains(true, await reader.Page.EvaluateAsync<bool[]>("() => window.asked"));
        Assert.Equal("once", await site.Services.ScalarAsync<string>("select user_id from chat_sessions where id = @id", new { id = Guid.Parse((await reader.SessionAsync())!) }));
        await reader.Page.EvaluateAsync($"() => {{ window.chatbackend.token = async () => '{expired}' }}");
        await reader.AskAsync("And what is a node?");
        await Expect(reader.State).ToHaveTextAsync("Your sign-in has run out. Sign in again, then ask again.");
    }

    [Fact]
    public async Task Signing_in_takes_the_conversation_along_and_signing_out_forgets_it()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.AnswerAsync();
        var session = Guid.Parse((await reader.SessionAsync())!);
        await Expect(reader.Button("Your conversations")).ToBeHiddenAsync();
        await reader.Button("Close").ClickAsync();

        await reader.Page.EvaluateAsync($"() => {{ window.chatbackend = {{ token: async () => '{WidgetSite.Token("amina")}' }} }}");
        await reader.OpenPanelAsync();
        await Expect(reader.Button("Your conversations")).ToBeVisibleAsync();
        await Until.TrueAsync(async () => await site.Services.ScalarAsync<string>("select user_id from chat_sessions where id = @session", new { session }) == "amina", "The conversation is not claimed.");
        await Expect(reader.Turns).ToHaveCountAsync(1);
        await reader.Button("Close").ClickAsync();

        await reader.Page.EvaluateAsync("() => { window.chatbackend = undefined }");
        await reader.OpenPanelAsync();
        await Expect(reader.Turns).ToHaveCountAsync(0);
        Assert.Null(await reader.SessionAsync());
    }

    [Theory]
    [InlineData("pointer")]
    [InlineData("window")]
    [InlineData("page")]
    [InlineData("call")]
    public async Task Signing_out_is_noticed_while_the_panel_is_open(string how)
    {
        await using var reader = await (await site.OpenAsync(before: $$"""window.chatbackend = { token: async () => window.isOut ? undefined : '{{WidgetSite.Token("parting")}}' }""")).OpenPanelAsync();
        await reader.AnswerAsync();
        await reader.Page.Mouse.MoveAsync(5, 5);

        await reader.Page.EvaluateAsync("() => { window.isOut = true }");
        await (how switch
        {
            "pointer" => reader.Panel.HoverAsync(),
            "window" => reader.Page.EvaluateAsync("() => dispatchEvent(new Event('focus'))"),
            "page" => reader.Page.Locator(".theme-doc-sidebar-menu").GetByRole(Microsoft.Playwright.AriaRole.Link, new() { Name = "Safety" }).First.ClickAsync(),
            _ => reader.Page.EvaluateAsync("() => chatbackendWidget.refresh()"),
        });

        await Expect(reader.Turns).ToHaveCountAsync(0);
        await Expect(reader.Button("Your conversations")).ToBeHiddenAsync();
        Assert.Null(await reader.SessionAsync());
    }

    [Fact]
    public async Task A_question_in_a_conversation_that_is_not_the_readers_any_more_begins_a_new_one_at_a_press()
    {
        await using var reader = await (await site.OpenAsync(before: $$"""window.chatbackend = { token: async () => window.isOut ? undefined : '{{WidgetSite.Token("gone")}}' }""")).OpenPanelAsync();
        await reader.AnswerAsync();
        await reader.Page.EvaluateAsync("() => { window.isOut = true }");
        var session = await reader.SessionAsync();

        await reader.AskAsync("What is a topic of ROS 2 nodes?");
        await Expect(reader.State).ToHaveTextAsync("This conversation no longer exists. Ask again to begin a new one.");
        await reader.Button("Try again").ClickAsync();

        await Expect(reader.LastAnswer).ToContainTextAsync("Nodes talk to each other over topics");
        await Expect(reader.Turns).ToHaveCountAsync(1);
        Assert.NotEqual(session, await reader.SessionAsync());
    }

    [Fact]
    public async Task A_signed_in_reader_goes_back_to_an_earlier_conversation()
    {
        await using var reader = await (await site.OpenAsync(before: $$"""window.chatbackend = { token: async () => '{{WidgetSite.Token("list")}}' }""")).OpenPanelAsync();
        await reader.AnswerAsync("What do ROS 2 nodes publish?");
        await reader.Button("New conversation").ClickAsync();
        await reader.AnswerAsync("What does a URDF file describe?");

        await reader.Button("Your conversations").ClickAsync();
        await reader.Button("What do ROS 2 nodes publish?").ClickAsync();

        await Expect(reader.Turns).ToHaveCountAsync(1);
        await Expect(reader.Turns.Last.Locator(".question")).ToContainTextAsync("What do ROS 2 nodes publish?");
    }
}
