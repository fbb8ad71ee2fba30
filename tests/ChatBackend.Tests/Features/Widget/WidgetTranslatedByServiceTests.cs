using System.Text.Json;
using ChatBackend.Tests.Features.Translate;
using static Microsoft.Playwright.Assertions;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>"Read this in اردو" from the press to the model and back: the real site, the real service and a stub of the model.</summary>
[Collection(nameof(WidgetSite))]
public sealed class WidgetTranslatedByServiceTests(WidgetSite site)
{
    [Fact]
    public async Task A_page_is_translated_by_the_service_and_shown_in_the_original_again()
    {
        await using var reader = await site.OpenAsync($"{WidgetSite.Address}docs/perception/state-estimation", "data-translate=\"ur\"");
        var (page, article) = (reader.Page, reader.Page.Locator(".theme-doc-markdown"));
        var button = page.Locator("chatbackend-widget .language");
        var (before, answers) = (await article.TextContentAsync(), site.Model.Default);
        await page.EvaluateAsync("() => window.own = [...document.querySelectorAll('.theme-doc-markdown :is(pre, .katex, [role=tab], a)')]");
        await page.Locator("#tuning-a-filter").EvaluateAsync("heading => scrollTo({ top: heading.offsetTop - 200, behavior: 'instant' })");
        var top = await TopAsync();
        // An Urdu word, and then the text in capitals.
        site.Model.Default = request =>
        {
            using var asked = JsonDocument.Parse(request.Messages[^1].Content);
            return JsonSerializer.Serialize(new
            {
                segments = asked.RootElement.GetProperty("segments").EnumerateArray()
                    .Select(s => new { id = s.GetProperty("id").GetInt32(), text = $"اردو {TranslateApp.Upper(s.GetProperty("text").GetString()!)}" }),
            });
        };
        try
        {
            await button.ClickAsync();
            await Expect(button).ToHaveTextAsync("Show the original");
        }
        finally
        {
            site.Model.Default = answers;
        }

        await Expect(article.Locator("h1")).ToHaveTextAsync("اردو STATE ESTIMATION");
        Assert.InRange(await TopAsync(), top - 150, top + 150);
        Assert.True(await page.EvaluateAsync<bool>("() => window.own.length > 20 && window.own.every(element => element.isConnected)"));
        // Every heading, paragraph, item and cell is translated and runs from right to left; an id is no part of a heading.
        Assert.Empty(await article.EvaluateAsync<string[]>("""
            article => [...article.querySelectorAll('h1, h2, h3, p, li, td, th')]
                .filter(e => /\p{L}{2}/u.test([...e.childNodes].map(n => n.nodeType === 3 ? n.data : '').join('')) && !e.closest('pre, [role=tablist], .katex'))
                .filter(e => !e.textContent.includes('اردو') || /[{}]/.test(e.localName[0] === 'h' ? e.textContent : '') || getComputedStyle(e).direction !== 'rtl')
                .map(e => `${e.localName}: ${e.textContent}`)
            """));
        Assert.DoesNotContain(site.Model.Requests, r => r.Messages[^1].Content.Contains("import numpy", StringComparison.Ordinal));

        await button.ClickAsync();

        await Expect(article.Locator("h1")).ToHaveTextAsync("State Estimation");
        Assert.Equal(before, await article.TextContentAsync());
        Assert.InRange(await TopAsync(), top - 30, top + 30);
        Assert.Empty(reader.Complaints);

        Task<double> TopAsync() => page.Locator("#tuning-a-filter").EvaluateAsync<double>("heading => heading.getBoundingClientRect().top");
    }
}
