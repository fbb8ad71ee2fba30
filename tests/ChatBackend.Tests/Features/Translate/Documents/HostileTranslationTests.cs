using System.Text.RegularExpressions;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Tests.Features.Translate.Translating;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Features.Translate.Documents;

/// <summary>Whatever a model answers, the page keeps its structure.</summary>
public sealed partial class HostileTranslationTests
{
    private static readonly string[] Inlines =
    [
        "word", "two words", "Wort.", "نوڈ", "`code`", "``a ` b``", "`x|y`", "**bold**", "*it `c` it*", "_under_", "~~gone~~", "***both***", "snake_case", "[link](https://a.b/c_d)", "[see **this**](../x.md#y)",
        "![image](a.png)", "[![alt](b.png)](c)", "[ref]", "[full][ref]", "[^1]", "$a_b$", "<b>tag</b>", "<Icon name=\"x\"/>", "<br/>", "{props.x}", "{/* note */}", "https://example.com/a_b", "me@x.org",
        "R&amp;D", "&lt;", "\\*", "\\{", "\\<", "5 < 6", "1986\\.", "end  \nafter", "end\\\nafter", "\n", "(a)", "\"q\"", "!", "ROS 2", ":rocket:", "<code>html</code>", "<span>in <i>it</i></span>",
    ];

    private static readonly string[] Blocks =
    [
        "# {0}", "## {0}", "### {0} {{#own-id}}", "## Set up", "{0}", "{0}", "{0}\n{1}", "{0}\n===", "> {0}\n> {1}", "> - {0}\n>   {1}", "- {0}\n- {1}", "1. {0}\n\n   {1}\n2. {2}", "- [ ] {0}", "- {0}\n  ```js\n  {{<a>}}\n  ```\n  {1}",
        "| {0} | {1} |\n|---|:-:|\n| {2} | x |", ":::tip[{0}]\n{1}\n:::", ":::note {0}\n\n{1}\n\n:::", "```py title=\"x\"\n# comment {0}\n```", "~~~\ncode\n~~~", "$$\nx_1 = {{y}}\n$$", "    indented code",
        "<Tabs>\n  <TabItem value=\"a\">\n\n  {0}\n\n  - {1}\n\n  </TabItem>\n</Tabs>", "<details><summary>{0}</summary>\n\n{1}\n\n</details>", "<table><tr><td>{0}</td><td>{1}</td></tr></table>",
        "import A from 'a';", "export const b = 1;", "{{/* comment */}}", "<!-- comment -->", "---", "{{items.map(i => <li key={{i}}>{{i}} text</li>)}}", "<Quiz\n  questions={{[\n    'a'\n  ]}}\n/>",
    ];

    /// <summary>The ways in which a model goes wrong.</summary>
    private static readonly Func<string, string, string>[] Hostilities =
    [
        (text, _) => text,
        (text, _) => Pseudo.OfSegment(text, Pseudo.Urdu),
        (text, _) => Placeholder().Replace(text, ""),
        (text, _) => Placeholder().Replace(text, "$0$0"),
        (text, _) => string.Concat(Placeholder().Matches(text).Reverse().Select(m => m.Value)) + " words",
        (text, _) => string.Join("", Placeholder().Split(text).Reverse()),
        (text, _) => text.Replace("<x", "<ایکس", StringComparison.Ordinal).Replace("<g", "< گ", StringComparison.Ordinal),
        (text, _) => text.Replace("1", "2", StringComparison.Ordinal),
        (text, _) => $"```\n{text}\n```",
        (_, other) => other,
        (text, _) => $"Here is the translation: {text}",
        (_, _) => "",
        (_, _) => " \n ",
        (text, _) => string.Concat(Enumerable.Repeat(text, 50)),
        (text, _) => $"{{{text}",
        (text, _) => $"{text} {{evil}} }}",
        (text, _) => $"<script>{text}",
        (text, _) => $"{text} </b></Tabs> <Evil/> <!-- ",
        (text, _) => $"a | {text} | b",
        (text, _) => $"import x from 'y'\n\n{text}",
        (text, _) => $"export {text}",
        (text, _) => $"# {text}\n\n- list\n\n| a |\n|---|\n",
        (text, _) => $"---\n{text}\n---",
        (text, _) => $"1. {text}\n2. more",
        (text, _) => $"> {text}",
        (text, _) => $":::danger\n{text}\n:::",
        (text, _) => $"{text} https://evil.example www.evil.example me@evil.example",
        (text, _) => $"{text} [l](javascript:x) ![i](u) [ref] [^1] [x]: y",
        (text, _) => $"**{text}** *a* _b_ ~~c~~ ~d~ `e` $f$ $$g$$",
        (text, _) => $"{text}\\",
        (text, _) => $"\\{text}`",
        (text, _) => $"{text} &lt; &#123; &amp; :rocket: ::x[y]{{z}} :x[y]",
        (text, _) => $"{text}**",
        (text, _) => $"**{text}",
        (text, _) => Pseudo.OfSegment(text, t => t.Length == 0 ? t : $"؟{t}؛"),
        (text, _) => Pseudo.OfSegment(text, t => t.Replace(" ", "", StringComparison.Ordinal)),
        (text, _) => $"\t    {text}  \n\r\u2028\0",
        (text, _) => $"{text} #",
        (text, _) => $"<x99/>{text}<g98>x</g98>",
        (text, _) => text.ToUpperInvariant(),
    ];

    // The same pages in every run, so that a rare disagreement of two parsers fails no build; TRANSLATE_RUNS=10000 tries others.
    private static readonly Config Runs = int.TryParse(Environment.GetEnvironmentVariable("TRANSLATE_RUNS"), out var runs)
        ? Config.QuickThrowOnFailure.WithMaxTest(runs)
        : Config.QuickThrowOnFailure.WithMaxTest(500).WithReplay(20251121, 13);

    private static Gen<string> Sentence => from parts in Gen.Elements(Inlines).NonEmptyListOf().Resize(6)
                                           select string.Join(" ", parts).Replace(" \n ", "\n", StringComparison.Ordinal).Trim();

    private static Gen<string> OneLine => Sentence.Select(s => s.Replace("\\\n", " ", StringComparison.Ordinal)).Select(s => Spaces().Replace(s, " "));

    private static Gen<string> Block => from form in Gen.Elements(Blocks)
                                        let isOneLine = form.Contains('|') || form.Contains('#') || form.Contains('<') || form.Contains('>') || form.Contains("- ") || form.Contains("1. ") || form.Contains(":::")
                                        from a in isOneLine ? OneLine : Sentence
                                        from b in isOneLine ? OneLine : Sentence
                                        from c in OneLine
                                            // Markdig, which checks the outcome, takes the bracket of a title into an address.
                                        let title = form.Contains(":::") ? a.Replace("https://", "", StringComparison.Ordinal) : a
                                        select string.Format(System.Globalization.CultureInfo.InvariantCulture, form, title, b, c);

    private static Arbitrary<(string Page, int Seed)> Pages => (
        from blocks in Block.NonEmptyListOf().Resize(10)
        from front in Gen.Elements("", "", "---\ntitle: \"A: title\"\nslug: /x\n---\n\n", "---\ndescription: >\n  folded\n  text\nid: y\nsidebar_label: Label\n---\n")
        from lineEnd in Gen.Elements("\n", "\n", "\r\n")
        from seed in Gen.Choose(0, int.MaxValue - 1)
        select ((front + string.Join("\n\n", blocks) + "\n\n[ref]: https://r.e/f\n\n[^1]: A note.\n").Replace("\n", lineEnd, StringComparison.Ordinal), seed)).ToArbitrary();

    [Fact]
    public void Whatever_the_model_answers_the_page_keeps_its_structure() => Prop.ForAll(Pages, sample =>
    {
        var (page, seed) = sample;
        var calls = 0;
        var last = "another segment";
        var model = new StubTranslator((text, _) =>
        {
            var answer = Hostilities[(int)((uint)HashCode(seed, calls++) % Hostilities.Length)](text, last);
            last = text;
            return answer;
        });
        using var translator = new DocumentTranslator(Options.Create(new TranslationLimits { CallsPerDocument = 1 }), model);
        var document = TranslatableDocument.Parse(page);
        var outcomes = translator.TranslateAsync(document, new("en", "ur"), CancellationToken.None).ToListAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
        var translated = TranslatedDocument.Of(document, outcomes, HeadingIds.Comment);
        var violations = Invariants.Violations(page, translated.Text);

        Assert.True(violations.Count == 0, $"{string.Join('\n', violations)}\n=== page\n{page}\n=== translated\n{translated.Text}");
        Assert.Equal(document.Segments.Count, translated.Translations.Count + translated.Warnings.Count);
    }).Check(Runs);

    [Fact]
    public void A_translation_to_other_letters_keeps_the_structure_and_leaves_nothing_out() => Prop.ForAll(Pages, sample =>
    {
        var translated = Pseudo.Translated(sample.Page, Pseudo.Urdu);
        var violations = Invariants.Violations(sample.Page, translated);

        Assert.True(violations.Count == 0, $"{string.Join('\n', violations)}\n=== page\n{sample.Page}\n=== translated\n{translated}");
    }).Check(Runs);

    [Fact]
    public void The_same_text_gives_the_page_back_with_only_the_ids_of_headings_added() => Prop.ForAll(Pages, sample =>
    {
        var document = TranslatableDocument.Parse(sample.Page);
        var same = document.Segments.ToDictionary(s => s.Index, s => s.Text);

        Assert.Equal(sample.Page, document.Translate(same, HeadingIds.None));
        Assert.Equal(sample.Page, AddedId().Replace(document.Translate(same, HeadingIds.Comment), ""));
    }).Check(Runs);

    [Fact]
    public void The_sample_book_keeps_its_structure()
    {
        var pages = Directory.GetFiles(Path.Combine(Repository.Root, "sample-book"), "*.md", SearchOption.AllDirectories);
        Assert.NotEmpty(pages);
        foreach (var page in pages.Select(File.ReadAllText))
            Assert.Empty(Invariants.Violations(page, Pseudo.Translated(page, Pseudo.Urdu)));
    }

    /// <summary>The same number on every platform and in every run.</summary>
    private static int HashCode(int seed, int call)
    {
        unchecked
        {
            var hash = (uint)seed + ((uint)call * 2654435761);
            hash = (hash ^ (hash >> 15)) * 2246822519;
            return (int)(hash ^ (hash >> 13));
        }
    }

    [GeneratedRegex(@"(</?[xg][0-9]+/?>)")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@" \{/\* #[^ ]+ \*/\}")]
    private static partial Regex AddedId();
}
