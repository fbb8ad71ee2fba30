using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Tests.Infrastructure.Search;

public sealed class PassageLanguageTests
{
    [Theory]
    [InlineData("نوڈ کیا ہے اور rclpy کے ساتھ کیسے چلتا ہے؟", null, "i18n/ur/a.md")]
    [InlineData("What is a node and how do I spin it?", null, "a.md")]
    [InlineData("What is a node and how do I spin it?", "https://book.example/ur/docs/a", "a.md")]
    [InlineData("rclpy.spin", "https://book.example/de/docs/a", "i18n/de/a.md")]
    [InlineData("rclpy.spin", null, "a.md")]
    [InlineData("Was ist ein Knoten und wie wird er gestartet?", null, "i18n/de/a.md")]
    public void Passages_in_the_questions_language_come_first_and_keep_their_order(string question, string? page, string first)
    {
        string[] paths = ["i18n/fr/a.md", "i18n/ur/a.md", "i18n/de/a.md", "a.md"];
        Passage[] ranked = [.. paths.Concat(paths.Select(path => path.Replace("a.md", "b.md"))).Select(Passage)];

        var preferred = PassageLanguage.Prefer(ranked, new(question) { PageUrl = page }).Select(passage => passage.DocumentPath).ToList();

        Assert.Equal([first, first.Replace("a.md", "b.md")], preferred.Take(2));
        Assert.Equal(ranked.Select(passage => passage.DocumentPath).Except(preferred.Take(2)), preferred.Skip(2));
    }

    [Fact]
    public void A_book_without_translations_keeps_its_order()
    {
        Passage[] ranked = [Passage("b.md"), Passage("a.md")];

        Assert.Same(ranked, PassageLanguage.Prefer(ranked, new("نوڈ کیا ہے؟")));
    }

    private static Passage Passage(string path) =>
        new() { Id = Guid.NewGuid(), DocumentPath = path, Position = 0, Title = "", HeadingPath = [], Url = path, Text = "" };
}
