using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Tests.Features.Chat.Answering;

public sealed class CitationMarkersTests
{
    [Theory]
    [InlineData("Nodes talk over topics [2].", "Nodes talk over topics [1].", "2")]
    [InlineData("A [3]. B [1]. A again [3].", "A [1]. B [2]. A again [1].", "3,1")]
    [InlineData("Both [1, 3] and [2;1].", "Both [1][2] and [3][1].", "1,3,2")]
    [InlineData("Side by side [1][2].", "Side by side [1][2].", "1,2")]
    [InlineData("No such passage [7].", "No such passage.", "")]
    [InlineData("One of two [7, 2].", "One of two [1].", "2")]
    [InlineData("The second of two [7][2].", "The second of two [1].", "2")]
    [InlineData("None of two [7][8]. Then [2].", "None of two. Then [1].", "2")]
    [InlineData("All of [1-3].", "All of [1][2][3].", "1,2,3")]
    [InlineData("A dash [2–3], spaces [1 - 2].", "A dash [1][2], spaces [3][1].", "2,3,1")]
    [InlineData("Beyond [2-7] and out of reach [8-9], and [2020-2021].", "Beyond [1][2] and out of reach, and.", "2,3")]
    [InlineData("Backwards [3-1] and [1-].", "Backwards and [1].", "1")]
    [InlineData("A link [text](https://book.example) and a note [^1].", "A link [text](https://book.example) and a note [^1].", "")]
    [InlineData("Zero [0] and a huge one [99999999999].", "Zero and a huge one.", "")]
    [InlineData("In code `joint[2]` it is an index [2].", "In code `joint[2]` it is an index [1].", "2")]
    [InlineData("```python\nx = a[1]\n```\nSo [3].", "```python\nx = a[1]\n```\nSo [1].", "3")]
    [InlineData("A stray ` tick.\n\nStill a marker [2].", "A stray ` tick.\n\nStill a marker [1].", "2")]
    [InlineData("Text [a] and [1a] and [] and [ 1] and [-1].", "Text [a] and [1a] and [] and [ 1] and [-1].", "")]
    [InlineData("An open end [1", "An open end [1", "")]
    [InlineData("Trailing space [9] ", "Trailing space ", "")]
    [InlineData("[[1]]", "[[1]]", "1")]
    public void Markers_are_checked_and_renumbered_in_order_of_first_use(string answer, string shown, string used)
    {
        var markers = new CitationMarkers(3);

        Assert.Equal(shown, markers.Push(answer) + markers.Flush());
        Assert.Equal(used, string.Join(',', markers.Used));
    }

    [Fact]
    public void A_marker_far_into_an_answer_is_checked_by_what_stands_before_it()
    {
        var checkedTexts = new List<string>();
        var markers = new CitationMarkers(1, (before, _) =>
        {
            checkedTexts.Add(before);
            return true;
        });
        var sentences = string.Concat(Enumerable.Range(1, 200).Select(i => $"Sentence {i} is about nodes. "));

        var shown = markers.Push($"{sentences}The last one is about topics [1].") + markers.Flush();

        Assert.Equal($"{sentences}The last one is about topics [1].", shown);
        Assert.EndsWith("Sentence 199 is about nodes. Sentence 200 is about nodes. The last one is about topics", Assert.Single(checkedTexts));
        Assert.InRange(checkedTexts[0].Length, 1_000, 2_000);
    }

    [Fact]
    public void Pieces_of_any_size_give_the_same_text()
    {
        const string Answer = "Topics [2] carry messages, `x[1]` not [9]; services [3, 2] answer, all [1-3]. ```\na[1]\n``` نوڈز [1] [";
        var whole = new CitationMarkers(3);
        var expected = whole.Push(Answer) + whole.Flush();

        for (var size = 1; size < Answer.Length; size++)
        {
            var markers = new CitationMarkers(3);
            var shown = string.Concat(Answer.Chunk(size).Select(piece => markers.Push(new string(piece)))) + markers.Flush();

            Assert.Equal(expected, shown);
            Assert.Equal(whole.Used, markers.Used);
        }
    }

    [Fact]
    public void Text_without_brackets_is_not_held_back()
    {
        var markers = new CitationMarkers(3);

        Assert.Equal("Hello", markers.Push("Hello"));
        Assert.Equal(" world", markers.Push(" world"));
        Assert.Equal("", markers.Push(" [1"));
        Assert.Equal(" [1]", markers.Push("]"));
    }
}
