using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.Answering;

/// <summary>Questions about the book itself, over HTTP: the sample book without a model, and a small book with one.</summary>
public sealed class BookOutlineTests(SampleBookApp book, ChatApp withModel) : IClassFixture<SampleBookApp>, IClassFixture<ChatApp>
{
    private const string Nodes = "/docs/ros2/nodes-and-topics";
    private const string Services = "/docs/ros2/services-actions-parameters";

    [Fact]
    public async Task What_the_book_is_about_is_its_opening_and_its_pages_in_the_sidebars_order()
    {
        var answer = await AskAsync("What is this book about?");

        Assert.StartsWith("> A chatbot that gives a wrong answer can be asked again.", Text(answer), StringComparison.Ordinal);
        Assert.Contains("These are the parts of *Physical AI and Humanoid Robotics*, in order:", Text(answer));
        Assert.Contains(
            """
            - **Foundations**: What Physical AI is, and the parts a humanoid is made of.
              - **Embodied Intelligence**: What Physical AI is, why the body matters, and what a humanoid consists of. [3]
            - **ROS 2**: The middleware that connects the programs of a robot.
              - **Nodes and Topics**: The ROS 2 graph, publishers and subscribers, discovery, and quality of service. [4]
              - **Services, Actions and Parameters**: Request and response,
            """, Text(answer).ReplaceLineEndings());
        Assert.Equal(
            [
                "/docs/intro", "/docs/intro", "/docs/foundations/embodied-intelligence", Nodes, Services, "/docs/simulation/urdf", "/docs/simulation/gazebo-isaac", "/docs/perception/sensors",
                "/docs/perception/state-estimation", "/docs/motion/kinematics", "/docs/motion/balance-and-walking", "/docs/motion/manipulation",
                "/docs/learning/reinforcement-learning", "/docs/learning/sim-to-real", "/docs/learning/vision-language-action", "/docs/safety/",
            ], Urls(answer));
        Assert.Equal("grounded", Grounding(answer));
    }

    [Theory]
    [InlineData("summarize chapter 2")]
    [InlineData("Give me a summary of the second chapter, please")]
    public async Task A_chapter_is_a_folder_by_its_place_in_the_sidebar(string question)
    {
        var answer = await AskAsync(question);

        Assert.StartsWith(
            """
            Chapter 2 of *Physical AI and Humanoid Robotics* is *ROS 2*: The middleware that connects the programs of a robot.

            - **Nodes and Topics**: The ROS 2 graph, publishers and subscribers, discovery, and quality of service. A robot runs dozens of programs at once: one reads the camera, another estimates the pose, a third drives the motors. [1]
              - What a node is · How nodes talk to each other · Topics ·
            """, Text(answer).ReplaceLineEndings(), StringComparison.Ordinal);
        Assert.Equal([Nodes, Services], Urls(answer));
        Assert.Equal("grounded", Grounding(answer));
    }

    [Fact]
    public async Task A_chapter_of_one_page_is_summed_up_section_by_section()
    {
        var answer = await AskAsync("What is the last chapter about?");

        Assert.StartsWith("Chapter 7 of *Physical AI and Humanoid Robotics* is *Safety*:", Text(answer), StringComparison.Ordinal);
        Assert.Contains("- **Falling safely**: Since a biped can always fall, falling is part of the design. [", Text(answer));
        Assert.Contains("/docs/safety/#falling-safely", Urls(answer));
    }

    [Fact]
    public async Task A_section_that_begins_with_a_diagram_is_summed_up_by_its_first_sentence()
    {
        var answer = await AskAsync("Summarize chapter 1");

        Assert.Contains("- **The parts of a humanoid**: A typical full-size humanoid weighs between 30 and 80 kg", Text(answer));
        Assert.DoesNotContain(": [", Text(answer));
    }

    [Fact]
    public async Task The_first_page_to_read_is_the_sidebars_first()
    {
        var answer = await AskAsync("Which page should I read first?");

        Assert.StartsWith(
            """
            *Physical AI and Humanoid Robotics* begins with these pages, in this order:

            1. **Physical AI and Humanoid Robotics**: What this book teaches, who it is for, and how to read it.
            """, Text(answer).ReplaceLineEndings(), StringComparison.Ordinal);
        Assert.Equal(["/docs/intro", "/docs/foundations/embodied-intelligence", Nodes], Urls(answer));
    }

    [Fact]
    public async Task The_readers_page_is_summed_up_section_by_section_in_its_own_words()
    {
        var answer = await AskAsync("Summarize this page", $"http://localhost:3000{Nodes}/?x=1#topics");

        Assert.StartsWith("*Nodes and Topics*, section by section, in its own words:", Text(answer), StringComparison.Ordinal);
        Assert.Contains("- **What a node is**: A node is a named participant in the ROS graph that does one job: read one sensor, run one filter, control one limb. [3]", Text(answer));
        Assert.All(Urls(answer), url => Assert.StartsWith(Nodes, url, StringComparison.Ordinal));
        Assert.Contains($"{Nodes}#what-a-node-is", Urls(answer));
        Assert.Equal("grounded", Grounding(answer));
    }

    [Theory]
    [InlineData("Summarize chapter 12", null, "There is no chapter 12 in *Physical AI and Humanoid Robotics*: it has 7.")]
    [InlineData("باب 12 کا خلاصہ", null, "*Physical AI and Humanoid Robotics* میں باب 12 نہیں ہے، کل ابواب 7 ہیں۔")]
    [InlineData("Summarize this page", null, "I cannot tell which page that is. Ask on a page of *Physical AI and Humanoid Robotics*, or name a chapter by its number.")]
    [InlineData("Summarize this page", "/blog/today", "I cannot tell which page that is. Ask on a page of *Physical AI and Humanoid Robotics*, or name a chapter by its number.")]
    public async Task Where_there_is_no_such_chapter_or_page_the_answer_says_so(string question, string? page, string text)
    {
        var answer = await AskAsync(question, page);

        Assert.Equal(text, Text(answer));
        Assert.Empty(Urls(answer));
        Assert.Equal("none", Grounding(answer));
    }

    [Fact]
    public async Task An_ordinary_question_cites_no_outline()
    {
        var answer = await AskAsync("How do two ROS 2 nodes talk to each other?");

        Assert.Equal($"{Nodes}#how-nodes-talk", Urls(answer)[0]);
        Assert.Contains("From *", Text(answer));
    }

    [Fact]
    public async Task A_model_is_given_the_outline_and_the_pages_own_passages()
    {
        withModel.Model.Answer("It is about topics and services [2].");

        var answer = await withModel.AnswerAsync(new { message = "Summarize chapter 2" });

        Assert.Equal("It is about topics and services [1].", Text(answer));
        Assert.Equal(["/docs/ros2/topics"], Urls(answer));
        Assert.Equal("grounded", Grounding(answer));
        var material = withModel.Model.Requests.Last(r => r.Messages[^1].Content == "Summarize chapter 2").Messages[1].Content;
        Assert.Contains("an outline, in the order of the book, with the numbers of the passages>\nChapter 2 of this book is *ros2*:\n\n- **Services** [1]\n- **Topics** [2]\n", material);
        Assert.Contains("The question is about the book itself", material);
        Assert.Contains("passage [4] of the book>\nTopics › How nodes talk\n\nTwo ROS 2 nodes talk", material);
    }

    [Theory]
    [InlineData("Summarize chapter 0", "Chapter 0: Preparation")]
    [InlineData("What is the last chapter about?", "The last chapter: Farewell")]
    public async Task A_page_that_is_named_as_in_the_question_need_not_be_at_that_place(string question, string title)
    {
        var index = withModel.Services.GetRequiredService<IPassageIndex>();
        await index.ReplaceAsync(new("safety/named.md", title, "/docs/safety/named", title, [new(0, [], null, "Charge the battery.")]), TestContext.Current.CancellationToken);
        withModel.Model.Answer("Charge the battery [2].");

        var answer = await withModel.AnswerAsync(new { message = question });

        Assert.Equal(["/docs/safety/named"], Urls(answer));
        await index.RemoveAsync(["safety/named.md"], TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task No_model_is_asked_about_a_chapter_that_is_not_there()
    {
        var answer = await withModel.AnswerAsync(new { message = "Summarize chapter 44" });

        Assert.Equal("There is no chapter 44 in this book: it has 3.", Text(answer));
        Assert.DoesNotContain(withModel.Model.Requests, r => r.Messages.Any(m => m.Content.Contains("chapter 44", StringComparison.Ordinal)));
    }

    private async Task<JsonElement> AskAsync(string message, string? page = null) =>
        await (await book.Client.PostAsJsonAsync("/chat", new { message, page_url = page })).JsonAsync();

    private static string Text(JsonElement answer) => answer.GetProperty("response").GetString()!;

    private static string Grounding(JsonElement answer) => answer.GetProperty("grounding").GetString()!;

    private static string[] Urls(JsonElement answer) => [.. answer.GetProperty("citations").EnumerateArray().Select(c => c.GetProperty("url").GetString()!)];
}

/// <summary>The service without a model, with the sample book.</summary>
public sealed class SampleBookApp : ChatBackendApp
{
    public override async ValueTask InitializeAsync()
    {
        (this["AI_PROVIDER"], this["SAMPLE_BOOK"]) = ("offline", "on");
        await base.InitializeAsync();
    }
}
