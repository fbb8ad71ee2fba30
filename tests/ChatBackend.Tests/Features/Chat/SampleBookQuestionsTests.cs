using System.Net.Http.Json;

namespace ChatBackend.Tests.Features.Chat;

/// <summary>
/// The sample book, asked as readers ask and without a model: 69 questions with the heading that answers them, most in other
/// words than the book's, and 10 that the book says nothing on.
/// </summary>
public sealed class SampleBookQuestionsTests
{
    [Fact]
    public async Task Most_questions_are_answered_from_their_heading_and_none_off_the_book_is()
    {
        await using var app = new ChatBackendApp { ["AI_PROVIDER"] = "offline", ["SAMPLE_BOOK"] = "on" };
        await app.InitializeAsync();
        await Until.TrueAsync(() => app.ScalarAsync<bool>("select count(*) = 15 from documents where passage_count > 0"), "The sample book was not ingested.");
        var (answered, cited, citedFirst, invented) = (0, 0, 0, new List<string>());

        foreach (var question in Questions())
        {
            var answer = await (await app.Client.PostAsJsonAsync("/chat", new { message = question.Text })).JsonAsync();
            var headings = answer.GetProperty("citations").EnumerateArray().Select(c => c.GetProperty("url").GetString()!.Split('#') is [_, var anchor] ? anchor : "").ToArray();
            var isAnswered = answer.GetProperty("grounding").GetString() != "none";
            if (question.Anchor == "-" && (isAnswered || headings.Length > 0))
                invented.Add(question.Text);
            if (question.Anchor == "-")
                continue;
            answered += isAnswered ? 1 : 0;
            cited += headings.Contains(question.Anchor) ? 1 : 0;
            citedFirst += headings.FirstOrDefault() == question.Anchor ? 1 : 0;
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"Of 69: {answered} answered, {cited} with the heading among the citations, {citedFirst} with the heading first.");
        Assert.Empty(invented);
        Assert.InRange(answered, 62, 69);
        Assert.InRange(cited, 40, 69);
        Assert.InRange(citedFirst, 39, 69);
    }

    private static IEnumerable<(string Text, string Anchor)> Questions() =>
        from line in File.ReadLines(Path.Combine(Repository.Root, "tests/ChatBackend.Tests/Features/Chat/sample-book-questions.tsv"))
        let columns = line.Split('\t')
        where columns.Length == 3
        select (columns[0], columns[2]);
}
