using ChatBackend.Features.Chat.Evaluation;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Tests.Features.Chat.Evaluation;

/// <summary>Against values worked out by hand from the definitions.</summary>
public sealed class MeasuresTests
{
    // Relevant: a (2), b (1), and c (1), which is not found. The ranking has another passage of a, which counts once.
    private readonly Outcome _outcome = Rank(["x", "a", "a", "b"], ("a", 2), ("b", 1), ("c", 1));

    [Fact]
    public void Recall_is_the_share_of_what_is_relevant()
    {
        Assert.Equal(0, Measures.Recall(_outcome, 1));
        Assert.Equal(1 / 3.0, Measures.Recall(_outcome, 2), 12);
        Assert.Equal(2 / 3.0, Measures.Recall(_outcome, 3), 12);
    }

    [Fact]
    public void One_right_place_is_a_success() => Assert.Equal((0, 1), (Measures.Success(_outcome, 1), Measures.Success(_outcome, 2)));

    [Fact]
    public void The_reciprocal_rank_ends_at_its_depth()
    {
        Assert.Equal(0.5, Measures.ReciprocalRank(_outcome, 10));
        Assert.Equal(0, Measures.ReciprocalRank(_outcome, 1));
    }

    [Fact]
    public void The_average_precision_counts_what_is_not_found() => Assert.Equal(((1 / 2.0) + (2 / 3.0)) / 3, Measures.AveragePrecision(_outcome), 12);

    [Fact]
    public void NDCG_compares_with_the_ideal_order() =>
        Assert.Equal(((2 / Math.Log2(3)) + (1 / Math.Log2(4))) / (2 + (1 / Math.Log2(3)) + (1 / Math.Log2(4))), Measures.Ndcg(_outcome, 10), 12);

    [Fact]
    public void A_quantile_is_one_of_the_values()
    {
        Assert.Equal(2, Measures.Quantile([1, 2, 3, 4], 0.5));
        Assert.Equal(4, Measures.Quantile([1, 2, 3, 4], 0.95));
        Assert.Null(Measures.Quantile([], 0.5));
    }

    [Theory]
    [InlineData("/docs/ros2/nodes", true)]
    [InlineData("/docs/ros2/nodes/", true)]
    [InlineData("/docs/ros2/nodes#what-is-a-node", true)]
    [InlineData("https://book.example.org/docs/ros2/nodes#what-is-a-node", true)]
    [InlineData("02-ros2/01-nodes.md", true)]
    [InlineData("02-ros2/01-nodes.md#what-is-a-node", true)]
    [InlineData("/docs/ros2/nodes#topics", false)]
    [InlineData("/docs/ros2", false)]
    [InlineData("01-nodes.md", false)]
    public void A_place_is_a_page_or_a_heading(string place, bool holds) =>
        Assert.Equal(holds, Place.Parse(place).Holds("02-ros2/01-nodes.md", "/docs/ros2/nodes#what-is-a-node"));

    [Fact]
    public void A_relative_place_stands_for_an_absolute_address_in_the_index() =>
        Assert.True(Place.Parse("/docs/nodes#topics").Holds("nodes.md", "https://book.example.org/base/docs/nodes#topics"));

    [Fact]
    public void A_typo_changes_one_word_and_every_run_has_the_same()
    {
        var set = new QuestionSet("answerable", true, [.. Enumerable.Range(0, 50).Select(i => new AskedQuestion($"{i}", "Which controller balances the humanoid?", []))]);

        var mistyped = Typos.In(set).Questions.Select(q => q.Text).ToArray();

        Assert.All(mistyped, text => Assert.InRange(text.Split(' ').Except(set.Questions[0].Text.Split(' ')).Count(), 0, 1));
        Assert.True(mistyped.Distinct().Count() > 20);
        Assert.Equal(mistyped, Typos.In(set).Questions.Select(q => q.Text));
    }

    [Fact]
    public void Fewer_questions_are_spread_over_the_set()
    {
        var set = new QuestionSet("answerable", true, [.. Enumerable.Range(0, 10).Select(i => new AskedQuestion($"{i}", "", []))]);

        Assert.Equal(["0", "2", "5", "7"], set.Spread(4).Questions.Select(q => q.Id));
        Assert.Same(set, set.Spread(10));
    }

    private static Outcome Rank(string[] ranked, params (string Id, int Relevance)[] relevant)
    {
        var question = new AskedQuestion("1", "", [.. relevant.Select(r => new Place(r.Id, r.Id, null, r.Relevance))]);
        Passage[] passages = [.. ranked.Select((id, i) => new Passage { Id = Guid.NewGuid(), DocumentPath = id, Position = i, Title = "", HeadingPath = [""], Url = $"/{id}", Text = "" })];
        return new(question, [], [.. Outcome.Relevant(question, passages)], null, null);
    }
}
