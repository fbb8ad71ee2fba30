using ChatBackend.Infrastructure.Search.Meaning;

namespace ChatBackend.Tests.Infrastructure.Search.Meaning;

public sealed class ScoreFusionTests
{
    private static readonly Guid A = Guid.CreateVersion7(), B = Guid.CreateVersion7(), C = Guid.CreateVersion7();

    [Fact]
    public void A_clear_lead_by_words_outweighs_a_narrow_one_by_meaning()
    {
        // By rank the two would be equal: each is first in one list and second in the other.
        Assert.Equal([A, B], Ranked([(A, 20), (B, 5)], [(B, 0.62), (A, 0.6)]));
        Assert.Equal([B, A], Ranked([(A, 20), (B, 19.5)], [(B, 0.62), (A, 0.2)]));
    }

    [Fact]
    public void Scores_are_between_zero_and_one_and_both_lists_count()
    {
        var fused = ScoreFusion.Fuse([(A, 12), (B, 6)], [(A, 0.8), (C, 0.4)]);

        Assert.Equal(1, fused[A], 9);
        Assert.Equal(0.5 / 2, fused[B], 9);
        Assert.Equal(0.5 / 2, fused[C], 9);
    }

    [Fact]
    public void The_last_passage_of_a_full_list_counts_as_much_as_one_that_is_not_in_it()
    {
        var full = Enumerable.Range(0, ScoreFusion.ListLength).Select(i => (Guid.CreateVersion7(), 10.0 + ScoreFusion.ListLength - i)).ToArray();

        var fused = ScoreFusion.Fuse(full, [(A, 0.5)]);

        Assert.Equal(0.5, fused[full[0].Item1], 9);
        Assert.Equal(0, fused[full[^1].Item1], 9);
        Assert.Equal(0.5, fused[A], 9);
    }

    [Fact]
    public void One_list_alone_keeps_its_order_and_none_gives_nothing()
    {
        Assert.Equal([A, B, C], Ranked([(A, 3), (B, 2), (C, 1)], []));
        Assert.Equal([A, B, C], Ranked([], [(A, 0.3), (B, 0.2), (C, 0.1)]));
        Assert.Empty(ScoreFusion.Fuse([], []));
    }

    [Fact]
    public void Equal_scores_stay_equal_and_negative_similarity_counts_as_none()
    {
        var full = Enumerable.Range(0, ScoreFusion.ListLength).Select(_ => (Guid.CreateVersion7(), 0.3)).ToArray();
        Assert.All(ScoreFusion.Fuse([], full).Values, score => Assert.Equal(0.5, score, 9));

        Assert.Equal(0, ScoreFusion.Fuse([(A, 1)], [(A, 0.2), (B, -0.1)])[B]);
        Assert.Empty(ScoreFusion.Fuse([], [(A, -0.1), (B, -0.2)]));
    }

    private static Guid[] Ranked((Guid, double)[] byWords, (Guid, double)[] byMeaning) =>
        [.. ScoreFusion.Fuse(byWords, byMeaning).OrderByDescending(f => f.Value).Select(f => f.Key)];
}
