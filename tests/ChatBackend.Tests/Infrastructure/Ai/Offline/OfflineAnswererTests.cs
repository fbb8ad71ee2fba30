using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Ai.Offline;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Tests.Infrastructure.Ai.Offline;

public sealed class OfflineAnswererTests
{
    private const string Talk = """
        Two ROS 2 nodes talk to each other by exchanging typed messages. With a **topic**, one node publishes, e.g. an image, and
        others subscribe. Services are in the [next chapter](./services.md#services). Sensors are not the subject here.
        """;

    private const string Publisher = """
        The weather was fine. To publish from a node, create a publisher with `create_publisher(Float64, "a[0].b. C")`.

        ```python
        publisher = node.create_publisher(Float64, "joints", 10)
        publisher.publish(values[0])
        ```

        A subscriber is not shown.
        """;

    private const string Channels = """
        Three channels connect nodes:

        - **Topic**: one to many [2].
        - **Service**: request and response.

        | Channel | Use |
        | --- | --- |
        | [Topic](../ros2/topics.md#what "t") | ![dots](./a.png)[`sensor`](b.md) data, `a[0](b)` |
        | Gripper `g[1]` | grasp an eggshell [7] |
        """;

    private static readonly Passage[] Book =
    [
        Quotable("Nodes › How nodes talk", Talk),
        Quotable("Nodes › A publisher", Publisher),
        Quotable("Nodes › Channels [9]", Channels),
    ];

    [Fact]
    public void A_typing_error_does_not_change_what_is_quoted() =>
        Assert.Equal(Answer("grasp an eggshell", Book), Answer("grsap an egshell", Book));

    [Fact]
    public void The_best_sentence_comes_first_with_what_follows_it_and_is_cited() => Assert.Equal(
        """
        From *Nodes › How nodes talk*:

        > Two ROS 2 nodes talk to each other by exchanging typed messages. With a topic, one node publishes, e.g. an image, and others subscribe. Services are in the next chapter. Sensors are not the subject here. [1]
        """,
        Answer("How do two ROS 2 nodes talk to each other?", Book));

    [Fact]
    public void A_question_how_gets_the_code_that_follows_and_other_questions_do_not()
    {
        var how = Answer("How do I create a publisher?", Book);
        var what = Answer("What does a publisher publish?", Book);

        Assert.Contains("`create_publisher(Float64, \"a[0].b. C\")`. [2]", how, StringComparison.Ordinal);
        Assert.Contains("\n\n```python\npublisher = node.create_publisher(Float64, \"joints\", 10)\npublisher.publish(values[0])\n```", how, StringComparison.Ordinal);
        Assert.DoesNotContain("```", what, StringComparison.Ordinal);
        Assert.DoesNotContain("weather", how, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sentence_that_announces_a_list_brings_it_along_without_the_books_own_brackets() => Assert.Contains(
        """
        > Three channels connect nodes:
        >
        > - Topic: one to many (2).
        > - Service: request and response. [3]
        """,
        Answer("Which channels connect nodes?", Book), StringComparison.Ordinal);

    [Fact]
    public void A_row_of_a_table_stays_in_its_table() => Assert.Equal(
        """
        From *Nodes › Channels (9)*:

        > | Channel | Use |
        > | --- | --- |
        > | Gripper `g[1]` | grasp an eggshell (7) |
        >
        > [3]
        """,
        Answer("grasp an eggshell", Book));

    [Fact]
    public void Links_of_a_table_are_quoted_as_text_because_they_depend_on_their_page() => Assert.Contains(
        "> | Topic | `sensor` data, `a[0](b)` |", Answer("Which topic has sensor data?", Book), StringComparison.Ordinal);

    [Theory]
    [InlineData("How do I bake bread?")]
    [InlineData("نوڈ کیا ہے؟")]
    [InlineData("Who won the football nodes championship in Brazil last year?")]
    [InlineData("???")]
    [InlineData("")]
    public void What_the_book_does_not_cover_has_no_answer(string question)
    {
        Assert.Null(Answer(question, Book));
        Assert.Null(Answer(question, []));
    }

    [Fact]
    public void Urdu_is_answered_from_Urdu() => Assert.Equal(
        """
        From *نوڈ*:

        > نوڈ ایک پروگرام ہے جو ایک کام کرتا ہے۔ یہ پیغام بھیجتا ہے۔ [1]
        """,
        Answer("نوڈ کیا ہے؟", [Quotable("نوڈ", "نوڈ ایک پروگرام ہے جو ایک کام کرتا ہے۔ یہ پیغام بھیجتا ہے۔")]));

    [Fact]
    public void What_has_no_heading_is_quoted_alone() =>
        Assert.Equal("> A node does one job. [1]", Answer("What is a node?", [Quotable("", "A node does one job.")]));

    [Fact]
    public void The_same_sentence_in_two_passages_is_quoted_once()
    {
        var answer = Answer("What is a node?", [Quotable("One", "A node is a participant."), Quotable("Two", "A node is a **participant**.")]);

        Assert.Equal("From *One*:\n\n> A node is a participant. [1]", answer);
    }

    [Theory]
    [InlineData("A. B. Smith wrote it. See Fig. 3 for the arm. Then stop", "A. B. Smith wrote it.|See Fig. 3 for the arm.|Then stop")]
    [InlineData("It is 3.5 m long! Is it? \"Yes.\" `x. Y` is code. $a. B$ is math.", "It is 3.5 m long!|Is it?|\"Yes.\"|`x. Y` is code.|$a. B$ is math.")]
    [InlineData("ロボットは歩く。人も歩く。", "ロボットは歩く。|人も歩く。")]
    [InlineData("He said . . . Nothing moved . . . at all. Then it fell...  Slowly", "He said . . .|Nothing moved . . . at all.|Then it fell...|Slowly")]
    [InlineData("The U.S. Army has a Ph.D. Student of Mr. Asimov. It is so", "The U.S. Army has a Ph.D. Student of Mr. Asimov.|It is so")]
    [InlineData(":::note\nMind *this*[^1] and ![image](a.png)that.\n:::", "Mind this and that.")]
    [InlineData("# Heading\n\n$$\nx = 1. Y\n$$\n\n> Quoted. Twice.", "Quoted.|Twice.")]
    [InlineData("It falls. With the mass $m$,\n\n$$\nF = ma\n$$\n\nso it is faster. It stops.", "It falls.|With the mass $m$,|… so it is faster.|It stops.")]
    [InlineData("It falls.\n\n$$\nF = ma\n$$\n\nThen it stops.", "It falls.|Then it stops.")]
    [InlineData("", "")]
    public void Sentences_end_where_a_reader_would_say_so(string markdown, string sentences) =>
        Assert.Equal(sentences, string.Join('|', QuotableMarkdown.Split(markdown).Select(q => q.Text)));

    [Fact]
    public void Hostile_text_is_taken_apart_in_time()
    {
        string[] hostile = [new('`', 8000), new('[', 8000), new('$', 8001), new('>', 8000), string.Concat(Enumerable.Repeat("e. ", 3000)), string.Concat(Enumerable.Repeat("[1", 4000)), string.Concat(Enumerable.Repeat("`$[", 3000))];
        var time = new ThreadTime();

        foreach (var text in hostile)
            Answer("e", [Quotable(text, text)]);

        Assert.True(time.Elapsed < TimeSpan.FromSeconds(25), $"{time.Elapsed}");
    }

    [Fact]
    public async Task It_streams_words_and_says_that_no_model_wrote_them()
    {
        var answer = Answer("How do nodes talk?", Book)!;
        var pieces = new List<ModelPiece>();
        await foreach (var piece in OfflineAnswerer.StreamAsync(answer, AiOptions.DefaultMaxOutputTokens, CancellationToken.None))
            pieces.Add(piece);

        Assert.True(pieces.Count > 20);
        Assert.Equal(answer, string.Concat(pieces.Select(p => p.Text)));
        Assert.Equal(new ModelPiece("") { Finish = ModelFinish.Stop, Model = "offline-extractive" }, pieces[^1]);
    }

    [Theory]
    [InlineData("Which typed messages do two ROS 2 nodes exchange?", true)]
    [InlineData("Which typed messages do two ROS 2 nodes exchange in a cathedral?", false)]
    [InlineData("Do nodes talk and do sensors grasp an eggshell?", false)]
    public void An_answer_is_whole_where_one_sentence_or_two_beside_each_other_have_nearly_all_of_the_question(string question, bool isWhole) =>
        Assert.Equal(isWhole, OfflineAnswerer.Answer(question, question, Book, From)!.IsWhole);

    [Fact]
    public void Another_passage_is_quoted_only_for_words_that_the_first_lacks()
    {
        // The headings alone make the second passage worth as much as the first.
        const string Heading = "A gripper with three fingers";
        Passage[] book = [Quotable(Heading, "The arm has a gripper with three fingers."), Quotable(Heading, "A gripper with three fingers is a hand."), Quotable("Cup", "Fingers close around the cup.")];

        Assert.DoesNotContain("[2]", Answer("What has a gripper with three fingers?", book), StringComparison.Ordinal);
        Assert.Contains("Fingers close around the cup. [3]", Answer("Which fingers of the gripper close around a cup?", book), StringComparison.Ordinal);
    }

    [Fact]
    public void The_end_of_a_sentence_after_a_formula_is_quoted_with_its_beginning() => Assert.EndsWith(
        "> With the mass $m$, … so heels move back. [1]",
        Answer("Do the heels move back?", [Quotable("Balance", "It falls. With the mass $m$,\n\n$$\nF = ma\n$$\n\nso heels move back.")]), StringComparison.Ordinal);

    [Fact]
    public void The_definition_of_a_later_passage_is_quoted_before_a_mention_in_the_first() => Assert.StartsWith(
        "From *URDF Format*:\n\n> The Unified Robot Description Format, URDF, is the XML file in which a ROS robot describes itself.",
        Answer(
            "What is URDF?",
            [
                Quotable("Limits of URDF", "Trees have no loops. All simulators import URDF."),
                Quotable("Macros of URDF", "Robots have two legs. Plain URDF has no loops."),
                Quotable("URDF Format", "Robots move.\n\nThe Unified Robot Description Format, URDF, is the XML file in which a ROS robot describes itself."),
            ]),
        StringComparison.Ordinal);

    [Theory]
    [InlineData("What is URDF?")]
    [InlineData("URDF nedir?")]
    [InlineData("什么是 URDF？")]
    public void A_question_with_one_word_that_says_something_asks_for_its_definition(string question) => Assert.StartsWith(
        "From *Format*:\n\n> The Unified Robot Description Format, URDF, is the XML file in which a ROS robot describes itself. [1]",
        Answer(question, [Quotable("Format", "Robots move.\n\nThe Unified Robot Description Format, URDF, is the XML file in which a ROS robot describes itself.\n\nAll import URDF.")]),
        StringComparison.Ordinal);

    [Fact]
    public void What_all_passages_are_about_is_answered_although_it_tells_them_apart_no_more()
    {
        Passage[] book = [.. Enumerable.Range(0, 6).Select(i => Quotable("Admiral", $"Piri Reis sailed in year {i}."))];

        Assert.Null(Answer("What was the true childhood nickname of Piri Reis?", book));
        Assert.NotNull(Answer("What was the true childhood nickname of Piri Reis?", [.. book.Select(p => p with { Coverage = 0.5 })]));
    }

    [Fact]
    public void Another_passage_is_not_quoted_for_an_everyday_word() => Assert.DoesNotContain(
        "[2]",
        Answer(
            "What is the difference between a topic and a service?",
            [Quotable("Choice", "If nobody waits, it is a topic. If the caller waits, it is a service."), Quotable("Domains", "Topics with different ids do not see one another.")]),
        StringComparison.Ordinal);

    [Theory]
    [InlineData("What does ZMP stand for?")]
    [InlineData("what is zmp short for")]
    [InlineData("full form of ZMP")]
    [InlineData("ZMP ne demek?")]
    [InlineData("Was bedeutet ZMP?")]
    public void A_question_for_the_meaning_of_an_acronym_is_answered_where_it_is_spelled_out(string question)
    {
        var answer = OfflineAnswerer.Answer(question, question, [Quotable("Steps", "The ZMP stands under the standing foot."), Quotable("Balance", "Robots fall. The zero moment point (ZMP) has no moment.")], From)!;

        Assert.StartsWith("From *Balance*:\n\n> The zero moment point (ZMP) has no moment. [2]", answer.Text, StringComparison.Ordinal);
        Assert.True(answer.IsWhole);
    }

    [Theory]
    [InlineData("What does ROS stand for?", "ROS is a graph of nodes.", false)]
    [InlineData("What does ROS stand for?", "The Robot Operating System, ROS, is a graph of nodes.", true)]
    [InlineData("Which axis points up?", "The axis of a joint goes through the point.", false)]
    [InlineData("Which axis points up?", "The last axis points up.", true)]
    [InlineData("How many joints has an arm?", "An arm has many joints.", false)]
    [InlineData("How many joints has an arm?", "An arm has as many as seven joints.", true)]
    [InlineData("Who invented the filter?", "The filter was invented long ago.", false)]
    [InlineData("Who invented the filter?", "The filter was invented by Rudolf Kalman.", true)]
    [InlineData("What is a quaternion?", "Subtracting two quaternions is not an error.", false)]
    [InlineData("What is a quaternion?", "A unit quaternion has four numbers.", true)]
    public void An_answer_is_whole_only_if_it_has_the_kind_of_thing_that_is_asked_for(string question, string book, bool isWhole) =>
        Assert.Equal(isWhole, OfflineAnswerer.Answer(question, question, [Quotable("Chapter", book)], From)!.IsWhole);

    [Fact]
    public void Who_wrote_something_is_not_answered_by_a_text_that_names_nobody_unless_it_covers_most_of_the_question()
    {
        var book = Quotable("What this book covers", "The book follows the path of a signal.");

        Assert.Null(Answer("Who wrote this book?", [book with { Coverage = 0.4 }]));
        Assert.NotNull(Answer("Who wrote this book?", [book with { Coverage = 0.6 }]));
        Assert.NotNull(Answer("Who wrote this book?", [Quotable("Preface", "The book is by Jane Roe.") with { Coverage = 0.4 }]));
    }

    [Fact]
    public void A_definition_has_the_asked_term_as_its_subject() => Assert.StartsWith(
        "From *Parts*:",
        Answer(
            "What is a node in ROS?",
            [Quotable("Launch", "Launch files start programs. In a ROS node it is usually a function."), Quotable("Parts", "A node is a participant in the ROS graph.")]),
        StringComparison.Ordinal);

    [Fact]
    public void The_line_above_a_quotation_is_the_callers() => Assert.StartsWith(
        "摘自*Hand*：\n\n> A hand grasps.", OfflineAnswerer.Answer("Which hand grasps?", "Which hand grasps?", [Quotable("Hand", "A hand grasps.")], "摘自{heading}：")!.Text, StringComparison.Ordinal);

    private const string From = "From {heading}:";

    [Theory]
    [InlineData("imu", "In simulation an IMU (inertial measurement unit) drifts.", true)]
    [InlineData("ai", "AI is an important field.", false)]
    [InlineData("zmp", "ZMP moves with the pelvis.", false)]
    public void An_acronym_is_spelled_out_by_other_words_than_itself(string acronym, string text, bool isSpelledOut) =>
        Assert.Equal(isSpelledOut, Acronym.IsSpelledOut([acronym], text));

    [Theory]
    [InlineData("Who holds the cup?", "Who holds the cup?", false)]
    [InlineData("Who holds the cup?\nHow?", "How?", true)]
    public void What_is_asked_for_is_told_by_the_readers_own_question(string question, string message, bool isWhole) =>
        Assert.Equal(isWhole, OfflineAnswerer.Answer(question, message, [Quotable("Hands", "The gripper holds the cup."), Quotable("Legs", "A leg bends at the knee.")], From)!.IsWhole);

    private static string? Answer(string question, IReadOnlyList<Passage> passages) => OfflineAnswerer.Answer(question, question, passages, From)?.Text;

    internal static Passage Quotable(string headings, string text) => new()
    {
        Id = Guid.NewGuid(),
        DocumentPath = "nodes.md",
        Position = 0,
        Title = headings,
        HeadingPath = headings.Split(" › "),
        Url = "/docs/nodes",
        Text = text,
    };
}
