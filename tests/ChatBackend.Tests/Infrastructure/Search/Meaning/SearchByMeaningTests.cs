using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;

namespace ChatBackend.Tests.Infrastructure.Search.Meaning;

/// <summary>Both indexes, with an embedder; <see cref="PassageIndexTests"/> has those without. Each test has its own database and its own Qdrant.</summary>
public sealed class SearchByMeaningTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly SearchDatabase _database = new();
    private readonly SearchQdrant _qdrant = new();
    private readonly KnownCosines _embedder = new();

    public async ValueTask InitializeAsync()
    {
        await _database.InitializeAsync();
        await _qdrant.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        await _qdrant.DisposeAsync();
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_question_in_other_words_finds_the_passage_by_its_meaning(string kind)
    {
        var index = Another(kind, new MeaningOfWords());
        await PutAsync(index, "meaning/a.md", "A walrus swims in cold water.", "The gripper closes around the cup.", "Torque is measured at the joint.");
        await index.MeasureSimilarityAsync(None);

        var found = await index.SearchAsync(new("grasping objects"), None);

        Assert.Contains("gripper", found[0].Text);
        Assert.Equal(0, found[0].Coverage);
        Assert.Equal(1, found[0].Similarity!.Value, 5);
        // A passage that is similar neither by meaning nor by words must not fill the list.
        Assert.Single(found);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Words_and_meaning_agree_on_the_first_place(string kind)
    {
        var index = Another(kind, new MeaningOfWords());
        await PutAsync(index, "fused/a.md", "A gripper of three fingers.", "The hand grasps the cup with a sensor.", "A sensor in the joint.");

        var found = await index.SearchAsync(new("the gripper grasps with a sensor"), None);

        Assert.Contains("hand grasps", found[0].Text);
        Assert.InRange(found[0].Coverage, 0.3, 0.9);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_clear_lead_by_words_outweighs_a_narrow_one_by_meaning(string kind)
    {
        var index = Another(kind, new MeaningOfWords());
        // By rank the two are equal: one is first by words, the other by meaning.
        await PutAsync(index, "scores/a.md", "A gripper with a sensor.", "The calibration procedure: a checklist for a gripper.");

        var found = await index.SearchAsync(new("calibration procedure checklist for gripper and sensor"), None);

        Assert.Contains("checklist", found[0].Text);
        Assert.Equal(0.5 + (0.5 * Math.Sqrt(0.5)), found[0].Score, 5);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task When_the_embedder_fails_the_words_answer_alone(string kind)
    {
        var embedder = new MeaningOfWords();
        var index = Another(kind, embedder);
        await PutAsync(index, "alone/a.md", "A walrus swims in cold water.", "Torque is measured at the joint.");
        embedder.IsBroken = true;

        var found = Assert.Single(await index.SearchAsync(new("where does a walrus swim"), None));

        Assert.Contains("walrus", found.Text);
        Assert.Null(found.Similarity);
        await Assert.ThrowsAsync<ModelException>(() => PutAsync(index, "alone/b.md", "Another walrus."));
        Assert.DoesNotContain("alone/b.md", await index.GetDocumentsAsync(None));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Nearness_is_relative_to_the_unrelated_questions(string kind)
    {
        var index = Another(kind, _embedder);
        await PutGripperAsync(index, "a.md");
        Assert.Equal((0.6, null), await FindAsync(index, "gripper 0.6"));

        await index.MeasureSimilarityAsync(None);

        // The unrelated questions have 0.01 to 0.40, whose quantile 0.975 is 0.39025.
        Assert.Equal((0.6, 0.20975), await FindAsync(index, "gripper 0.6"));
        Assert.Equal((0.3, -0.09025), await FindAsync(index, "gripper 0.3"));
        // Another process finds it too.
        Assert.Equal((0.6, 0.20975), await FindAsync(Another(kind, _embedder), "gripper 0.6"));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_passage_without_a_shared_word_is_found_only_if_it_is_near(string kind)
    {
        var index = Another(kind, _embedder);
        await PutGripperAsync(index, "a.md");

        // Before it was measured, nearness has no say.
        Assert.Single(await index.SearchAsync(new("xylophone 0.3"), None));
        await index.MeasureSimilarityAsync(None);

        Assert.Empty(await index.SearchAsync(new("xylophone 0.3"), None));
        Assert.Single(await index.SearchAsync(new("xylophone 0.5"), None));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task It_is_measured_again_when_a_document_changes_and_not_before(string kind)
    {
        var index = Another(kind, _embedder);
        await PutGripperAsync(index, "a.md");
        await index.MeasureSimilarityAsync(None);
        Assert.Equal(1 + 40, _embedder.Texts);

        await index.MeasureSimilarityAsync(None);
        await Another(kind, _embedder).MeasureSimilarityAsync(None);
        Assert.Equal(1 + 40, _embedder.Texts);

        await PutGripperAsync(index, "b.md");
        await index.MeasureSimilarityAsync(None);
        Assert.Equal(2 + 80, _embedder.Texts);
        await index.RemoveAsync(["b.md"], None);
        await index.MeasureSimilarityAsync(None);
        Assert.Equal(2 + 120, _embedder.Texts);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task The_value_of_another_model_does_not_count(string kind)
    {
        await PutGripperAsync(Another(kind, _embedder), "a.md");
        await Another(kind, _embedder).MeasureSimilarityAsync(None);
        var other = Another(kind, new KnownCosines { Model = "another-model" });

        Assert.Equal((null, null), await FindAsync(other, "gripper 0.6"));
        await PutGripperAsync(other, "a.md");
        await other.MeasureSimilarityAsync(None);
        Assert.Equal((0.6, 0.20975), await FindAsync(other, "gripper 0.6"));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_model_that_fails_here_fails_nothing_and_the_next_time_repeats_it(string kind)
    {
        var index = Another(kind, _embedder);
        await PutGripperAsync(index, "a.md");
        _embedder.IsBroken = true;
        await index.MeasureSimilarityAsync(None);
        _embedder.IsBroken = false;
        Assert.Equal((0.6, null), await FindAsync(index, "gripper 0.6"));

        await index.MeasureSimilarityAsync(None);

        Assert.Equal((0.6, 0.20975), await FindAsync(index, "gripper 0.6"));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Without_a_book_or_without_an_embedder_nothing_is_measured(string kind)
    {
        await Another(kind, _embedder).MeasureSimilarityAsync(None);
        Assert.Equal(0, _embedder.Texts);

        await PutGripperAsync(Another(kind), "a.md");
        await Another(kind).MeasureSimilarityAsync(None);
        Assert.Equal((null, null), await FindAsync(Another(kind), "gripper 0.6"));
        Assert.Equal(0, _embedder.Texts);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_replaced_or_removed_passage_is_not_found_by_its_meaning(string kind)
    {
        var (reader, author) = (Another(kind, new MeaningOfWords()), Another(kind, new MeaningOfWords()));
        await PutAsync(author, "a.md", "The gripper closes around the cup.", "Torque is measured at the joint.");
        await PutAsync(author, "b.md", "A walrus swims in cold water.");
        Assert.Contains("gripper", (await reader.SearchAsync(new("grasping objects"), None))[0].Text);

        await PutAsync(author, "a.md", "Torque is measured at the joint.", "The gripping hand opens.");
        Assert.Equal(["The gripping hand opens."], (await reader.SearchAsync(new("grasping objects"), None)).Select(p => p.Text));

        await author.RemoveAsync(["a.md"], None);
        Assert.Empty(await reader.SearchAsync(new("grasping objects"), None));
        Assert.Equal(["A walrus swims in cold water."], (await reader.SearchAsync(new("walruses"), None)).Select(p => p.Text));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_selection_and_its_neighbours_come_first_whatever_their_meaning(string kind)
    {
        var index = Another(kind, new MeaningOfWords());
        await PutAsync(
            index, "a.md", "Before it stands something else entirely.", "The center of pressure must stay inside the support polygon at all times.", "After it comes the next matter.");
        await PutAsync(index, "b.md", "The gripper closes around the cup.");
        await index.MeasureSimilarityAsync(None);

        var found = await index.SearchAsync(new("grasping") { SelectedText = "center of pressure must stay inside the support polygon" }, None);

        Assert.Equal(["a.md 1", "a.md 0", "a.md 2", "b.md 0"], found.Select(p => $"{p.DocumentPath} {p.Position}"));
        Assert.Equal(1, found[3].Similarity!.Value, 5);
    }

    private IPassageIndex Another(string kind, IEmbedder? embedder = null) => kind == "qdrant" ? _qdrant.Another(embedder) : _database.Another(embedder);

    private static Task PutAsync(IPassageIndex index, string path, params string[] texts) => index.ReplaceAsync(
        new(path, "Title", "/docs/" + path.Replace(".md", ""), string.Join('|', texts), [.. texts.Select((t, i) => new Chunk(i, [], null, t))]), None);

    private static Task PutGripperAsync(IPassageIndex index, string path) => PutAsync(index, path, $"The gripper of {path} closes around the cup.");

    private static async Task<(double? Similarity, double? Nearness)> FindAsync(IPassageIndex index, string question)
    {
        var found = (await index.SearchAsync(new(question), None))[0];
        return (Round(found.Similarity), Round(found.Nearness));

        static double? Round(double? value) => value is { } number ? Math.Round(number, 5) : null;
    }
}
