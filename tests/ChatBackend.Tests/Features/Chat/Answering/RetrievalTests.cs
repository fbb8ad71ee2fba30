namespace ChatBackend.Tests.Features.Chat.Answering;

public sealed class RetrievalTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string PartlyCovered = "Do nodes talk to each other over topics while a lighthouse is dark?";
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
    // Some of their words are English words too: was, so, in, me, on.
    [InlineData("Wie reden Knoten, und was wird so in der Simulation benutzt?")]
    [InlineData("¿Cómo se comunican los nodos, y me lo puedes explicar?")]
    [InlineData("Comment les nœuds communiquent-ils, et que me dit-on ?")]
    public async Task A_question_in_another_language_is_translated_before_it_is_refused(string question)
    {
        app.Model.Answer("How do two ROS 2 nodes talk to each other over topics?").Answer("Over topics [1].");

        var answer = await app.AnswerAsync(new { message = question });

        Assert.Equal("/docs/ros2/topics#how-nodes-talk", FirstUrl(answer));
    }

    public const string Translation = "دو نوڈز ٹاپکس کے ذریعے ایک دوسرے سے بات کرتے ہیں: ایک پیغامات شائع کرتا ہے، دوسرا انہیں وصول کرتا ہے۔";

    public const string StackTrace =
        """
        Traceback (most recent call last):
          File "/opt/ros/jazzy/lib/python3.12/site-packages/rclpy/executors.py", line 297, in spin
            self.spin_once()
        rclpy._rclpy_pybind11.RCLError: failed to initialize wait set: the given context is not valid
        """;

    [Theory]
    [InlineData(Translation)]
    [InlineData(StackTrace)]
    public async Task A_selection_that_the_book_does_not_hold_leaves_the_verdict_to_the_question(string selection)
    {
        const string Question = "How do two ROS 2 nodes talk to each other over topics?";
        app.Model.Answer("By publishing and subscribing [1].");

        var answer = await app.AnswerAsync(new { message = Question, selected_text = selection });

        Assert.Equal("grounded", answer.GetProperty("grounding").GetString());
        Assert.Equal("/docs/ros2/topics#how-nodes-talk", FirstUrl(answer));
        Assert.Contains("The selected text is not in the book", app.Model.Requests[^1].Messages[1].Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Words_of_the_book_in_a_selection_that_it_does_not_hold_answer_no_question_off_the_book()
    {
        app.Model.Answer("White wine [1].");

        var answer = await app.AnswerAsync(new { message = "Which wine?", selected_text = "polygon, balance, humanoid, moment" });

        Assert.Equal("none", answer.GetProperty("grounding").GetString());
    }

    [Theory]
    [InlineData("explain this")]
    [InlineData("What does this mean?")]
    public async Task Where_the_question_says_nothing_by_itself_the_selection_decides(string question)
    {
        app.Model.Answer("They publish and subscribe [1].").Answer("That is not from the book [1].");

        var held = await app.AnswerAsync(new { message = question, selected_text = "one publishes messages, the other subscribes" });
        var foreign = await app.AnswerAsync(new { message = question, selected_text = StackTrace });

        Assert.Equal(("grounded", "none"), (held.GetProperty("grounding").GetString(), foreign.GetProperty("grounding").GetString()));
        Assert.DoesNotContain("not in the book", app.Model.Requests[^2].Messages[1].Content, StringComparison.Ordinal);
        Assert.Contains("The selected text is not in the book", app.Model.Requests[^1].Messages[1].Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_marked_translation_is_put_into_the_books_language()
    {
        app.Model.Answer("How do two ROS 2 nodes talk to each other over topics?").Answer("They publish and subscribe [1].");

        var answer = await app.AnswerAsync(new { message = "explain this", selected_text = Translation });

        Assert.Equal("/docs/ros2/topics#how-nodes-talk", FirstUrl(answer));
        Assert.Contains(Translation, app.Model.Requests[^2].Messages[^1].Content, StringComparison.Ordinal);
    }

    /// <summary>A stub model cites in many ways. It is given three passages: [1] is about services, [2] about topics, [3] about balance.
    /// <see cref="CitationCheckTests"/> has more sentences, in more languages.</summary>
    [Theory]
    // Rightly: also in a short statement, and across languages, where words cannot be compared.
    [InlineData("One node publishes messages, another subscribes [2].", "grounded", "One node publishes messages, another subscribes [1].", "topics")]
    [InlineData("A service answers a client's request [1]. Nodes publish to topics [2].", "grounded", "A service answers a client's request [1]. Nodes publish to topics [2].", "services,topics")]
    [InlineData("Nodes publish messages. Yes, they do. [2]", "grounded", "Nodes publish messages. Yes, they do. [1]", "topics")]
    [InlineData("Knoten veröffentlichen Nachrichten, und die anderen empfangen sie [2].", "grounded", "Knoten veröffentlichen Nachrichten, und die anderen empfangen sie [1].", "topics")]
    // Wrongly: a passage that was given, but does not say it.
    [InlineData("One node publishes messages, another subscribes [1].", "none", "One node publishes messages, another subscribes.", "")]
    [InlineData("Oysters go well with a dry white wine [3].", "none", "Oysters go well with a dry white wine.", "")]
    [InlineData("Nodes publish to topics [2]. Oysters go well with a dry white wine [2].", "partial", "Nodes publish to topics [1]. Oysters go well with a dry white wine.", "topics")]
    [InlineData("One node publishes 250 messages for another that subscribes [2].", "none", "One node publishes 250 messages for another that subscribes.", "")]
    // Too much: every passage for each sentence.
    [InlineData("Nodes publish messages to topics [1][2][3].", "partial", "Nodes publish messages to topics [1].", "topics")]
    [InlineData(
        "Nodes publish messages to topics [1, 2, 3]. A service answers a client's request with one response [1-3]. The zero moment point stays inside the support polygon [1-3].",
        "partial",
        "Nodes publish messages to topics [1]. A service answers a client's request with one response [2]. The zero moment point stays inside the support polygon [3].",
        "topics,services,balance")]
    // A number that was not given.
    [InlineData("Nodes publish to topics [9].", "none", "Nodes publish to topics.", "")]
    [InlineData("Nodes publish to topics [2][9].", "partial", "Nodes publish to topics [1].", "topics")]
    [InlineData("Nodes publish to topics [0-9].", "partial", "Nodes publish to topics [1].", "topics")]
    // Not at all.
    [InlineData("The book does not cover this.", "none", "The book does not cover this.", "")]
    [InlineData("Nodes publish messages to topics.", "none", "Nodes publish messages to topics.", "")]
    public async Task The_citations_of_a_model_decide_what_its_answer_is_called(string model, string grounding, string shown, string cited)
    {
        app.Model.Answer(model);

        var answer = await app.AnswerAsync(new { message = "How do nodes talk over topics, how does a service answer the request of a client with a response, and what keeps the balance of a humanoid?" });

        var citations = answer.GetProperty("citations").EnumerateArray().ToArray();
        Assert.Equal(
            (grounding, shown, cited),
            (answer.GetProperty("grounding").GetString(), answer.GetProperty("response").GetString(), string.Join(',', citations.Select(Page))));
        Assert.Equal(Enumerable.Range(1, citations.Length), citations.Select(c => c.GetProperty("number").GetInt32()));

        static string Page(System.Text.Json.JsonElement citation) => citation.GetProperty("url").GetString()!.Split('#')[0].Split('/')[^1];
    }

    [Fact]
    public async Task What_the_passages_cover_in_part_is_shown_to_the_model_and_its_citations_decide()
    {
        app.Model.Answer("They talk over topics [1].");

        var answer = await app.AnswerAsync(new { message = PartlyCovered });

        Assert.InRange(await CoverageAsync(PartlyCovered), 0.25, 0.8);
        Assert.Equal("grounded", answer.GetProperty("grounding").GetString());
    }

    [Theory]
    [InlineData("Which wine goes with the oysters?", "There is nothing on this in this book.")]
    [InlineData("ما هي عاصمة أستراليا؟", "لا يوجد شيء عن هذا في هذا الكتاب.")]
    [InlineData("آسٹریلیا کا دارالحکومت کیا ہے؟", "اس کتاب میں اس بارے میں کچھ نہیں ہے۔")]
    [InlineData("Avustralya'nın başkenti nedir?", "Bu konuda bu kitap içinde bir şey yok.")]
    [InlineData("Was ist die Hauptstadt von Australien?", "In diesem Buch steht nichts dazu.")]
    [InlineData("Quelle est la capitale de l'Australie ?", "Il n'y a rien à ce sujet dans ce livre.")]
    // Not in the table: the book's language.
    [InlineData("Какой город столица Австралии?", "No hay nada sobre esto en este libro.")]
    public async Task Offline_a_refusal_is_in_the_language_of_the_question_or_of_the_book(string question, string refusal)
    {
        await using var offline = new ChatApp { ["AI_PROVIDER"] = "offline", ["BOOK_LANGUAGE"] = "es" };
        await offline.InitializeAsync();

        var answer = await offline.AnswerAsync(new { message = question });

        Assert.StartsWith(refusal, answer.GetProperty("response").GetString(), StringComparison.Ordinal);
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

    private async Task<double> CoverageAsync(string question)
    {
        var found = await (await app.Client.GetAsync($"/search?q={Uri.EscapeDataString(question)}")).JsonAsync();
        return found.GetProperty("passages").EnumerateArray().Max(p => p.GetProperty("coverage").GetDouble());
    }

    private static string? FirstUrl(System.Text.Json.JsonElement answer) => answer.GetProperty("citations")[0].GetProperty("url").GetString();
}
