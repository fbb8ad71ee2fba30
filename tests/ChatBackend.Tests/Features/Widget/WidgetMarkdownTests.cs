using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Features.Widget;

public sealed partial class WidgetMarkdownTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "tests/ChatBackend.Tests/Features/Widget");

    /// <summary>The slowest one takes 2.3 s on two busy cores; without the bounds in the renderer some would take minutes.</summary>
    private static readonly TimeSpan LongestDrawing = TimeSpan.FromSeconds(45);

    [Fact]
    public async Task A_hostile_answer_runs_nothing_loads_nothing_and_is_drawn()
    {
        await using var stub = await StubPage.StartAsync();
        await stub.OpenAsync();
        var answers = Regex.Split(await ReadAsync("hostile-answers.txt"), "^%%%%\n", RegexOptions.Multiline, TimeSpan.FromSeconds(60)).Select(Expand).ToArray();
        var (problems, slowest) = (new List<string>(), TimeSpan.Zero);

        foreach (var answer in answers)
        {
            stub.Pieces = [.. answer.Chunk((answer.Length / 40) + 1).Select(part => new string(part))];
            var watch = Stopwatch.StartNew();
            await stub.AskAsync();
            slowest = watch.Elapsed > slowest ? watch.Elapsed : slowest;

            problems.AddRange(from problem in await stub.Page.Locator(".turn").Last.EvaluateAsync<string[]>(Problems) select $"{answer[..Math.Min(80, answer.Length)]}: {problem}");
            if (watch.Elapsed > LongestDrawing)
                problems.Add($"{answer[..40]} took {watch.Elapsed}");
        }

        Assert.Equal([], problems);
        Assert.Equal([], stub.Errors);
        Assert.All(stub.Requests, url => Assert.Matches("/chat$|/messages", url));
        Assert.True(answers.Length >= 40);
        TestContext.Current.TestOutputHelper!.WriteLine($"{answers.Length} answers; the slowest took {slowest.TotalMilliseconds:F0} ms");
    }

    [Fact]
    public async Task A_text_that_grows_has_the_elements_of_the_whole_text()
    {
        await using var stub = await StubPage.StartAsync();
        var text = await ReadAsync("ordinary-answer.md");
        stub.Pieces = [text];
        await stub.OpenAsync();
        await stub.AskAsync();
        var whole = await stub.AnswerHtmlAsync();
        var random = new Random(14);

        for (var i = 0; i < 5; i++)
        {
            var held = new TaskCompletionSource();
            stub.Held = held.Task;
            stub.Pieces = Cut(text, random);
            var asking = stub.AskAsync();
            await Assertions.Expect(stub.Page.Locator(".turn .answer").Last).ToContainTextAsync("The last words.");
            // The text is drawn once a frame.
            await stub.Page.EvaluateAsync("() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))");

            Assert.Equal(whole, await stub.AnswerHtmlAsync());
            held.SetResult();
            await asking;
            Assert.Equal(whole, await stub.AnswerHtmlAsync());
        }
    }

    [Fact]
    public async Task What_is_complete_of_a_growing_text_is_drawn_once()
    {
        await using var stub = await StubPage.StartAsync();
        var answer = stub.Page.Locator(".turn .answer");
        string[] pieces = ["First.\n\n", "- second\n- third\n\n", "| a |\n|---|\n| 4 |\n\n", "The last", " words."];
        string[] last = ["First.", "third", "4", "The last"];
        // Each piece is sent when the one before it is shown.
        stub.Before = async i =>
        {
            if (i > 0)
                await Assertions.Expect(answer).ToContainTextAsync(last[i - 1]);
            if (i == 3)
                await answer.EvaluateAsync("answer => { window.complete = [...answer.children].slice(0, 2) }");
        };
        stub.Pieces = pieces;
        var held = new TaskCompletionSource();
        stub.Held = held.Task;
        await stub.OpenAsync();
        var asking = stub.AskAsync();
        await Assertions.Expect(answer).ToContainTextAsync("The last words.");

        Assert.True(await answer.EvaluateAsync<bool>("answer => window.complete.length === 2 && window.complete.every(element => element.parentNode === answer)"));
        held.SetResult();
        await asking;
    }

    [Fact]
    public async Task A_growing_text_is_drawn_once_a_frame()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Pieces = [.. Enumerable.Range(0, 50).Select(i => $"word{i} ")];
        var held = new TaskCompletionSource();
        stub.Held = held.Task;
        await stub.OpenAsync();
        await stub.Page.EvaluateAsync("() => { window.frames = []; window.requestAnimationFrame = draw => window.frames.push(draw) }");
        var asking = stub.AskAsync();
        var answer = stub.Page.Locator(".turn .answer");
        await Assertions.Expect(stub.Page.Locator(".state")).ToHaveTextAsync("Writing…");
        await stub.Page.WaitForFunctionAsync("() => window.frames.length === 1");
        await Assertions.Expect(answer).ToHaveTextAsync("");

        await stub.Page.WaitForFunctionAsync("() => { window.frames.splice(0).forEach(draw => draw()); return document.querySelector('chatbackend-widget').shadowRoot.querySelector('.answer').textContent.includes('word49') }");
        held.SetResult();
        await asking;
    }

    [Theory]
    [InlineData("1. a\n   - b\n2. c", "<ol dir=\"ltr\"><li>a<ul dir=\"ltr\"><li>b</li></ul></li><li>c</li></ol>")]
    [InlineData("- a\n\n  ```py\n  x\n\n\n  y\n  ```\n- b", "<ul dir=\"ltr\" class=\"loose\"><li><p dir=\"auto\">a</p><pre tabindex=\"0\" dir=\"ltr\"><code>x\n\n\ny</code></pre></li><li><p dir=\"auto\">b</p></li></ul>")]
    [InlineData("- ایک node\n- دو", "<ul dir=\"rtl\"><li>ایک node</li><li>دو</li></ul>")]
    [InlineData("![A robot](https://evil.example/x.png) and [x](javascript:y)", "<p dir=\"auto\">A robot and x</p>")]
    [InlineData("2 * 3 * 4 and snake_case_name", "<p dir=\"auto\">2 * 3 * 4 and snake_case_name</p>")]
    [InlineData("| a | b |\n|---|---|\n| 1 \\| 2 | **3** |", "<div class=\"table\" dir=\"ltr\" tabindex=\"0\" role=\"group\"><table><thead><tr><th dir=\"auto\" scope=\"col\">a</th><th dir=\"auto\" scope=\"col\">b</th></tr></thead><tbody><tr><td dir=\"auto\">1 | 2</td><td dir=\"auto\"><strong>3</strong></td></tr></tbody></table></div>")]
    [InlineData("|a|b|c|\n|:-|-:|:-:|\n|1|2|3|", "<div class=\"table\" dir=\"ltr\" tabindex=\"0\" role=\"group\"><table><thead><tr><th dir=\"auto\" scope=\"col\" data-side=\"left\">a</th><th dir=\"auto\" scope=\"col\" data-side=\"right\">b</th><th dir=\"auto\" scope=\"col\" data-side=\"center\">c</th></tr></thead><tbody><tr><td dir=\"auto\" data-side=\"left\">1</td><td dir=\"auto\" data-side=\"right\">2</td><td dir=\"auto\" data-side=\"center\">3</td></tr></tbody></table></div>")]
    [InlineData("With $z_c$, \\(x_1 + y_1\\), \\[a_1\\] and $$b_2$$ it costs $5 or $10.", "<p dir=\"auto\">With <code class=\"math\" dir=\"ltr\">z_c</code>, <code class=\"math\" dir=\"ltr\">x_1 + y_1</code>, <code class=\"math\" dir=\"ltr\">a_1</code> and <code class=\"math\" dir=\"ltr\">b_2</code> it costs $5 or $10.</p>")]
    [InlineData("a\n$$\nx_1 * y_1 * 2\n$$\nb", "<p dir=\"auto\">a</p><pre class=\"math\" tabindex=\"0\" dir=\"ltr\">x_1 * y_1 * 2</pre><p dir=\"auto\">b</p>")]
    [InlineData("\\[\nx_1 \\\\ y_1\n\\]\n\\[ z_2 \\]", "<pre class=\"math\" tabindex=\"0\" dir=\"ltr\">x_1 \\\\ y_1</pre><pre class=\"math\" tabindex=\"0\" dir=\"ltr\">z_2</pre>")]
    [InlineData("\\[not math\n\nnor this", "<p dir=\"auto\">[not math</p><p dir=\"auto\">nor this</p>")]
    public async Task Markdown_becomes_elements(string markdown, string html)
    {
        await using var stub = await StubPage.StartAsync();
        stub.Pieces = [markdown];
        await stub.OpenAsync();
        await stub.AskAsync();

        Assert.Equal(html, await stub.AnswerHtmlAsync());
    }

    private const string Problems = """
        turn => [
          ...(window.ran ? ['it ran'] : []),
          ...(turn.querySelector('.answer').childNodes.length ? [] : ['it was not drawn']),
          ...Array.from(turn.querySelectorAll('.answer :is(script, style, link, meta, base, img, svg, iframe, object, embed, form, input)'), e => `there is a ${e.localName}`),
          ...Array.from(turn.querySelectorAll('.answer *'), e => [...e.attributes].find(a => /^on|^style$|^src/.test(a.name))).filter(Boolean).map(a => `there is ${a.name}`),
          ...Array.from(turn.querySelectorAll('.answer a'), a => a.protocol).filter(p => !['http:', 'https:', 'mailto:'].includes(p)).map(p => `there is a link to ${p}`),
        ]
        """;

    /// <summary>{{3 ab}} stands for ababab.</summary>
    private static string Expand(string answer) =>
        Repeated().Replace(answer, m => string.Concat(Enumerable.Repeat(m.Groups["text"].Value, int.Parse(m.Groups["count"].Value))));

    private static List<string> Cut(string text, Random random)
    {
        var pieces = new List<string>();
        for (var at = 0; at < text.Length; at += pieces[^1].Length)
            pieces.Add(text.Substring(at, Math.Min(random.Next(1, 30), text.Length - at)));
        return pieces;
    }

    private static async Task<string> ReadAsync(string name) => (await File.ReadAllTextAsync(Path.Combine(Folder, name))).ReplaceLineEndings("\n");

    [GeneratedRegex(@"\{\{(?<count>\d+) (?<text>.*?)\}\}(?!\})", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Repeated();
}
