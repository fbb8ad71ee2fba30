using ChatBackend.Features.Chat.Evaluation;

namespace ChatBackend.Tests.Features.Chat.Evaluation;

public sealed class QuestionFileTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task A_line_is_a_question_and_its_places_or_a_dash()
    {
        var (answerable, refused) = await ReadAsync("\uFEFF# Comment\r\n\r\nWhat is a node?\tros2.md#nodes \t /docs/ros2\r\nWho won?\t-");

        var question = Assert.Single(answerable.Questions);
        Assert.Equal(("line 3", "What is a node?"), (question.Id, question.Text));
        Assert.Equal([("ros2.md", "nodes"), ("/docs/ros2", null)], question.Places.Select(p => (p.Page, p.Anchor)));
        Assert.Equal(("line 4", "Who won?"), Assert.Single(refused.Questions) is var other ? (other.Id, other.Text) : default);
    }

    [Theory]
    [InlineData("# Comment\nWhat is a node?\n", "line 2: there is no tab after the question.")]
    [InlineData("What is a node?\t-\nwhat is a node?\t-\n", "line 2: the question is on line 1 already.")]
    [InlineData("What is a node?\t-\t/docs/\n", "line 1: a question to refuse (-) has no place that answers it.")]
    [InlineData("What is a node?\t\n", "line 1: there is no place after a tab.")]
    [InlineData("\t-\n", "line 1: there is no question before the tab.")]
    [InlineData("# Comment\n", "has no questions.")]
    public async Task A_fault_is_named_with_its_line(string text, string fault)
    {
        var thrown = await Assert.ThrowsAsync<EvaluationException>(() => ReadAsync(text));

        Assert.StartsWith(_file, thrown.Message);
        Assert.EndsWith(fault, thrown.Message);
    }

    [Theory]
    [InlineData(".jsonl", "{\"_id\":\"a\",\"text\":\"Who won?\"}\n\n{\"text\":\"Who lost?\"}\n")]
    [InlineData(".txt", "Who won?\t-\n\nWho lost?\n")]
    public async Task Questions_to_refuse_are_text_or_JSON(string extension, string text)
    {
        var set = await ReadUnanswerableAsync(extension, text);

        Assert.False(set.IsAnswerable);
        Assert.Equal([("line 1", "Who won?"), ("line 3", "Who lost?")], set.Questions.Select(q => (q.Id, q.Text)));
    }

    [Theory]
    [InlineData(".jsonl", "{\"question\":\"Who won?\"}\n", ", line 1: ")]
    [InlineData(".jsonl", "{\"text\":null}\n", ", line 1: ")]
    [InlineData(".jsonl", "Who won?\n", ", line 1: ")]
    [InlineData(".txt", "\n\n", " has no questions.")]
    public async Task A_fault_in_questions_to_refuse_is_named(string extension, string text, string fault)
    {
        var thrown = await Assert.ThrowsAsync<EvaluationException>(() => ReadUnanswerableAsync(extension, text));

        Assert.StartsWith($"{_file}{extension}{fault}", thrown.Message);
    }

    [Theory]
    [InlineData("query-id\tcorpus-id\tscore\nq\td\t1\n")]
    [InlineData("q\td\t1\n")]
    public async Task Judgements_of_a_set_in_BEIRs_layout_may_have_a_header(string qrels)
    {
        var folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            await WriteAsync("corpus.jsonl", """{"_id":"d","title":null,"text":"Whales sing."}""");
            await WriteAsync("queries.jsonl", """{"_id":"q","text":"Who sings?"}""");
            await WriteAsync("qrels.tsv", qrels);

            var set = await BeirFolder.ReadAsync(folder, TestContext.Current.CancellationToken);

            Assert.Equal("d", Assert.Single(Assert.Single(set.Questions.Questions).Places).Page);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        Task WriteAsync(string name, string text) => File.WriteAllTextAsync(Path.Combine(folder, name), text, TestContext.Current.CancellationToken);
    }

    private async Task<QuestionSet> ReadUnanswerableAsync(string extension, string text)
    {
        await File.WriteAllTextAsync(_file + extension, text, TestContext.Current.CancellationToken);
        try
        {
            return await QuestionFile.ReadUnanswerableAsync(_file + extension, TestContext.Current.CancellationToken);
        }
        finally
        {
            File.Delete(_file + extension);
        }
    }

    private async Task<(QuestionSet Answerable, QuestionSet Refused)> ReadAsync(string text)
    {
        await File.WriteAllTextAsync(_file, text, TestContext.Current.CancellationToken);
        return await QuestionFile.ReadAsync(_file, TestContext.Current.CancellationToken);
    }
}
