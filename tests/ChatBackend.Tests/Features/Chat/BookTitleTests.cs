namespace ChatBackend.Tests.Features.Chat;

public sealed class BookTitleTests
{
    private const string OffTheBook = "Which wine goes with oysters?";

    [Theory]
    [InlineData("Robots *at* Work [1]", "off", @"There is nothing on this in *Robots \*at\* Work \[1\]*.")]
    [InlineData("Robots at Work", "on", "There is nothing on this in *Robots at Work*.")]
    [InlineData(null, "on", "There is nothing on this in *Physical AI and Humanoid Robotics*.")]
    [InlineData(null, "off", "There is nothing on this in this book.")]
    public async Task The_offline_model_names_the_book(string? title, string sampleBook, string expected)
    {
        await using var app = new ChatApp { ["AI_PROVIDER"] = "offline", ["SAMPLE_BOOK"] = sampleBook };
        if (title is not null)
            app["BOOK_TITLE"] = title;
        await app.InitializeAsync();

        var answer = await app.AnswerAsync(new { message = OffTheBook });

        Assert.StartsWith(expected, answer.GetProperty("response").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_prompts_for_answers_and_for_queries_name_the_book()
    {
        await using var app = new ChatApp { ["BOOK_TITLE"] = "Robots at Work" };
        await app.InitializeAsync();

        await app.AnswerAsync(new { message = "Welcher Wein passt zu Austern?" });

        Assert.Equal(2, app.Model.Requests.Count);
        Assert.All(app.Model.Requests, request => Assert.Contains("“Robots at Work”", request.Messages[0].Content, StringComparison.Ordinal));
    }
}
