using System.Text.Json;
using ChatBackend.Features.Translate.Book;

namespace ChatBackend.Tests.Features.Translate.Book;

public sealed class SiteMessagesTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("messages").FullName;

    [Fact]
    public async Task A_bar_in_a_translation_makes_no_further_form_of_a_plural()
    {
        await using var record = await TranslationRecord.OpenAsync(_root, TestContext.Current.CancellationToken);
        var messages = SiteMessages.Parse("code.json", """{"pages": {"message": "One page|{count} pages"}}""", record, "ur", force: false);
        Assert.Equal(["One page", "<x1/> pages"], messages.Document.Segments.Select(segment => segment.Text));

        var (text, translated) = messages.Translate(new Dictionary<int, string> { [0] = "ایک | صفحہ", [1] = "<x1/> صفحے|اوراق" });

        Assert.Equal("ایک / صفحہ|{count} صفحے/اوراق", JsonElement.Parse(text).GetProperty("pages").GetProperty("message").GetString());
        Assert.Equal("One page|{count} pages", Assert.Single(translated).Source);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
