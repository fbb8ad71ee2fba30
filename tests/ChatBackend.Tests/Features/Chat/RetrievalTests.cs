namespace ChatBackend.Tests.Features.Chat;

public sealed class RetrievalTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Rewriter = "You write search queries";

    [Fact]
    public async Task A_question_in_Urdu_finds_passages_of_an_English_book()
    {
        const string Urdu = "دو نوڈز آپس میں کیسے بات کرتے ہیں؟";
        app.Model.Answer("How do two ROS 2 nodes talk to each other over topics?").Answer("موضوعات کے ذریعے [1]۔");

        var answer = await app.AnswerAsync(new { message = Urdu });

        Assert.Equal("/docs/ros2/topics#how-nodes-talk", FirstUrl(answer));
        Assert.Equal("grounded", answer.GetProperty("grounding").GetString());
        var (rewriting, answering) = (app.Model.Requests[^2], app.Model.Requests[^1]);
        Assert.StartsWith(Rewriter, rewriting.Messages[0].Content, StringComparison.Ordinal);
        Assert.Contains("English", rewriting.Messages[0].Content, StringComparison.Ordinal);
        Assert.Equal(Urdu, rewriting.Messages[^1].Content);
        Assert.Equal(Urdu, answering.Messages[^1].Content);
        // Both calls are paid for.
        Assert.Equal(("22", "14"), (Usage("input_tokens"), Usage("output_tokens")));

        string Usage(string name) => answer.GetProperty("usage").GetProperty(name).GetRawText();
    }

    [Fact]
    public async Task A_question_about_a_book_in_another_language_than_English_is_put_into_that()
    {
        await using var german = new ChatApp { ["BOOK_LANGUAGE"] = "de" };
        await german.InitializeAsync();
        german.Model.Answer("How do two ROS 2 nodes talk to each other over topics?").Answer("Over topics [1].");

        var answer = await german.AnswerAsync(new { message = "Which wine goes with the oysters?" });

        Assert.Contains("a book in German", german.Model.Requests[0].Messages[0].Content, StringComparison.Ordinal);
        Assert.Equal("/docs/ros2/topics#how-nodes-talk", FirstUrl(answer));
    }

    [Theory]
    [InlineData("and why?")]
    [InlineData("give an example")]
    public async Task A_follow_up_is_rewritten_with_what_it_refers_to(string followUp)
    {
        app.Model.Answer("It stays inside the support polygon [1].");
        var first = await app.AnswerAsync(new { message = "Where must the zero moment point of a humanoid stay?" });
        app.Model.Answer("Why must the zero moment point stay inside the support polygon of a humanoid?").Answer("Because of the balance [1].");

        var second = await app.AnswerAsync(new { message = followUp, session_id = first.GetProperty("session_id").GetGuid() });

        Assert.Equal("/docs/motion/balance#the-zero-moment-point", FirstUrl(second));
        var rewriting = app.Model.Requests[^2].Messages;
        Assert.StartsWith(Rewriter, rewriting[0].Content, StringComparison.Ordinal);
        Assert.Equal(
            [("user", "Where must the zero moment point of a humanoid stay?"), ("assistant", "It stays inside the support polygon [1]."), ("user", followUp)],
            rewriting.Skip(1));
        Assert.Equal(followUp, app.Model.Requests[^1].Messages[^1].Content);
    }

    [Fact]
    public async Task Where_the_rewriting_fails_the_turn_before_stands_in()
    {
        app.Model.Answer("It stays inside the support polygon [1].");
        var first = await app.AnswerAsync(new { message = "Where must the zero moment point of a humanoid stay?" });
        app.Model.Fail(400).Answer("Because of the balance [1].");

        var second = await app.AnswerAsync(new { message = "and why?", session_id = first.GetProperty("session_id").GetGuid() });

        Assert.Equal("/docs/motion/balance#the-zero-moment-point", FirstUrl(second));
    }

    [Fact]
    public async Task A_question_that_stands_alone_costs_one_call()
    {
        app.Model.Answer("Over topics [1].");
        var first = await app.AnswerAsync(new { message = "How do two ROS 2 nodes talk over topics?" });
        var before = app.Model.Requests.Count;
        app.Model.Answer("It answers with one response [1].");

        await app.AnswerAsync(new { message = "What does a service answer to the request of a client?", session_id = first.GetProperty("session_id").GetGuid() });

        Assert.Equal(before + 1, app.Model.Requests.Count);
    }

    [Fact]
    public async Task A_marker_that_was_not_given_never_reaches_the_reader()
    {
        app.Model.Answer("Over topics [7], that is by publishing [1] and [99].");

        var answer = await app.AnswerAsync(new { message = "How do two ROS 2 nodes talk over topics?" });

        Assert.Equal("Over topics, that is by publishing [1] and.", answer.GetProperty("response").GetString());
        Assert.Single(answer.GetProperty("citations").EnumerateArray());
    }

    [Fact]
    public async Task Offline_a_follow_up_is_answered_with_the_turn_before()
    {
        await using var offline = new ChatApp { ["AI_PROVIDER"] = "offline" };
        await offline.InitializeAsync();
        var first = await offline.AnswerAsync(new { message = "Where must the zero moment point of a humanoid stay?" });

        var second = await offline.AnswerAsync(new { message = "and why?", session_id = first.GetProperty("session_id").GetGuid() });

        Assert.Equal("/docs/motion/balance#the-zero-moment-point", FirstUrl(second));
        Assert.Contains("offline", second.GetProperty("model").GetString());
    }

    private static string? FirstUrl(System.Text.Json.JsonElement answer) => answer.GetProperty("citations")[0].GetProperty("url").GetString();
}
