using System.Text.Json;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Tests.Features.Translate.Documents;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Features.Translate.Translating;

public sealed class DocumentTranslatorTests
{
    private static readonly CancellationToken Token = TestContext.Current.CancellationToken;

    private static readonly string Chapter = string.Join("\n\n", Enumerable.Range(1, 60).Select(n =>
        $"## Part {n}\n\nThe robot moves its arm number {n} to the shelf and takes the box that it was told to bring, and `node_{n}` reports that it has done so to the others."));

    [Fact]
    public async Task A_page_is_translated_in_the_order_of_its_segments()
    {
        var model = new StubTranslator((text, _) => Upper(text));
        var (page, outcomes) = await RunAsync(model, "# One\n\nRun `x` **now**.\n\n- two\n");

        Assert.Equal("# ONE\n\nRUN `x` **NOW**.\n\n- TWO\n", page.Text);
        Assert.Equal([0, 1, 2], outcomes.Select(o => o.Segment.Index));
        Assert.Empty(page.Warnings);
    }

    [Fact]
    public async Task Code_and_addresses_never_reach_the_model()
    {
        var model = new StubTranslator((text, _) => Upper(text));
        await RunAsync(model, "---\nslug: /secret1\n---\nRun `secret2` at https://secret3.example, [here](secret4) <A secret5=\"\"/> $secret6$.\n\n```\nsecret7\n```\n\n## H {#secret8}\n");

        Assert.DoesNotContain("secret", Assert.Single(model.Requests).Messages.Aggregate("", (all, m) => all + m.Content), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_segment_is_asked_for_again_with_the_reason_then_alone_and_then_stays()
    {
        var model = new StubTranslator((text, problem) => text switch
        {
            "Stubborn <x1/>." => "no placeholder",
            "Learns <x1/>." when problem is null => "no placeholder",
            _ => Upper(text),
        });
        var (page, _) = await RunAsync(model, "Good.\n\nStubborn `a`.\n\nLearns `b`.\n\nSlow `c`.");

        Assert.Equal("GOOD.\n\nStubborn `a`.\n\nLEARNS `b`.\n\nSLOW `c`.", page.Text);
        Assert.Equal([["Good.", "Stubborn <x1/>.", "Learns <x1/>.", "Slow <x1/>."], ["Stubborn <x1/>.", "Learns <x1/>."], ["Stubborn <x1/>."]], model.Calls);
        var warning = Assert.Single(page.Warnings);
        Assert.Equal((3, "This passage is not translated. The placeholder <x1/> is missing."), (warning.Line, warning.Detail));
    }

    [Fact]
    public async Task The_same_text_is_asked_for_once()
    {
        var model = new StubTranslator((text, _) => Upper(text));
        var (page, _) = await RunAsync(model, "| a | yes |\n|---|---|\n| b | yes |\n| c | yes |\n");

        Assert.Equal("| A | YES |\n|---|---|\n| B | YES |\n| C | YES |\n", page.Text);
        Assert.Equal(["a", "yes", "b", "c"], Assert.Single(model.Calls));
    }

    [Fact]
    public async Task Known_translations_are_used_if_they_fit_and_groups_are_never_mixed()
    {
        var model = new StubTranslator((text, _) => Upper(text));
        var document = TranslatableDocument.Parse("One.\n\nTwo `x`.\n\nThree.\n\nFour.");
        var task = Urdu with { Known = new Dictionary<int, string> { [0] = "EINS.", [1] = "no placeholder" }, Group = s => s.Text == "Three." ? "book" : "reader" };
        var (page, outcomes) = await RunAsync(model, document, task);

        Assert.Equal("EINS.\n\nTWO `x`.\n\nTHREE.\n\nFOUR.", page.Text);
        Assert.Equal([true, false, false, false], outcomes.Select(o => o.IsKnown));
        Assert.Equal([["Three."], ["Two <x1/>.", "Four."]], model.Calls.OrderBy(c => c.Length));
    }

    [Fact]
    public async Task What_was_translated_before_a_failure_is_handed_on()
    {
        var model = new StubTranslator((text, _) => Upper(text))
        {
            Before = (texts, _) => texts.Any(t => t.StartsWith("Part 60", StringComparison.Ordinal)) ? throw new ModelException(ModelFailure.Unavailable, "away") : Task.CompletedTask,
        };
        var stored = new List<SegmentTranslation>();
        var task = Urdu with
        {
            Translated = translations =>
            {
                lock (stored)
                    stored.AddRange(translations);
                return Task.CompletedTask;
            },
        };

        await Assert.ThrowsAsync<ModelException>(() => RunAsync(model, TranslatableDocument.Parse(Chapter), task));
        Assert.InRange(stored.Count, 60, 119);
    }

    [Fact]
    public async Task A_declined_segment_stays_and_the_others_are_translated()
    {
        var model = new StubTranslator((text, _) => Upper(text))
        {
            Before = (texts, _) => texts.Contains("Bad.") ? throw new ModelException(ModelFailure.Refused, "The model declined to answer.") : Task.CompletedTask,
        };
        var (page, _) = await RunAsync(model, "Good.\n\nBad.\n\nFine.");

        Assert.Equal("GOOD.\n\nBad.\n\nFINE.", page.Text);
        Assert.Equal("This passage is not translated. The model declined to answer.", Assert.Single(page.Warnings).Detail);
    }

    [Fact]
    public async Task A_server_without_schemas_is_asked_without_one()
    {
        var model = new StubTranslator((text, _) => Upper(text));
        var plain = new SchemalessModel(model);
        var (page, _) = await RunAsync(plain, TranslatableDocument.Parse(Chapter), Urdu);

        Assert.Empty(page.Warnings);
        Assert.All(model.Requests, r => Assert.Null(r.JsonSchema));
    }

    [Theory]
    [InlineData("```json\n{0}\n```")]
    [InlineData("Here is the translation:\n\n{0}\n\nI hope this helps.")]
    public async Task An_answer_may_stand_between_other_text(string around)
    {
        var model = new StubTranslator((text, _) => Upper(text)) { Answer = json => around.Replace("{0}", json, StringComparison.Ordinal) };
        var (page, _) = await RunAsync(model, "One.\n\nTwo.");

        Assert.Equal("ONE.\n\nTWO.", page.Text);
        Assert.Single(model.Calls);
    }

    [Theory]
    [InlineData("Here is the translation: روبوٹ")]
    [InlineData("Sure! Here's the Urdu translation: روبوٹ")]
    [InlineData("Translation: روبوٹ")]
    public async Task Words_about_the_translation_are_refused(string answer)
    {
        var (page, _) = await RunAsync(new StubTranslator((_, problem) => problem is null ? answer : "روبوٹ"), "A robot.");

        Assert.Equal("روبوٹ", page.Text);
    }

    [Fact]
    public async Task The_answer_to_another_segment_is_refused()
    {
        var model = new StubTranslator((text, problem) => problem is null ? "THIS IS THE ANSWER TO ONE OF THE SEGMENTS." : Upper(text));
        var (page, _) = await RunAsync(model, "The first of them.\n\nThe second of them.");

        Assert.Equal("THE FIRST OF THEM.\n\nTHE SECOND OF THEM.", page.Text);
        Assert.Equal("Another segment has the same translation.", Problems(model.Requests.Last()).Distinct().Single());
    }

    [Fact]
    public async Task A_sentence_that_comes_back_as_it_was_is_asked_for_again_and_then_named()
    {
        var model = new StubTranslator((text, problem) => text.StartsWith("Lazy", StringComparison.Ordinal) || (problem is null && !text.StartsWith("Good", StringComparison.Ordinal)) ? text : Upper(text));
        var (page, outcomes) = await RunAsync(model, "Good one.\n\nThis sentence comes back at first.\n\nLazy is this sentence, which nobody translates.");

        Assert.Equal("GOOD ONE.\n\nTHIS SENTENCE COMES BACK AT FIRST.\n\nLazy is this sentence, which nobody translates.", page.Text);
        Assert.Equal([3, 2, 1], model.Calls.Select(call => call.Length));
        Assert.Equal((5, "This passage is not translated. The text came back as it was, without a translation."), (Assert.Single(page.Warnings).Line, page.Warnings[0].Detail));
        Assert.Null(outcomes[2].Text);
    }

    [Theory]
    [InlineData("Gazebo and Isaac Sim")]
    [InlineData("University of the Arts, London, School of Design")]
    [InlineData("`ros2 run demo_nodes_cpp talker` [the](u) `one two three four five`")]
    [InlineData("یہ ایک نوڈ ہے جو دوسرے نوڈ سے بات کرتا ہے۔")]
    public async Task Names_and_text_in_the_target_language_may_come_back_as_they_were(string text)
    {
        var model = new StubTranslator((same, _) => same);
        var (page, _) = await RunAsync(model, text);

        Assert.Equal(text, page.Text);
        Assert.Empty(page.Warnings);
        Assert.Single(model.Calls);
    }

    [Fact]
    public async Task A_broken_answer_counts_as_far_as_it_goes()
    {
        var model = new StubTranslator((text, _) => Upper(text)) { Answer = json => json[..^5] };
        var (page, _) = await RunAsync(model, "One.\n\nTwo.\n\nThree.");

        Assert.Equal("ONE.\n\nTWO.\n\nThree.", page.Text);
    }

    [Fact]
    public async Task Terms_of_the_glossary_are_checked()
    {
        var glossary = Glossary.BuiltIn.With(Glossary.Parse("# Terms\nTurtleBot\n[ur]\nnode = نوڈ\n[fr]\nnode = nœud\n[*]\nGazebo\n", "ur"));
        var model = new StubTranslator((text, problem) => problem is null ? "ربات" : $"ROS 2 TurtleBot نوڈ {problem}");
        var (page, _) = await RunAsync(model, TranslatableDocument.Parse("A ROS 2 Node of the TurtleBot."), Urdu with { Glossary = glossary });

        Assert.StartsWith("ROS 2 TurtleBot نوڈ \"", page.Text, StringComparison.Ordinal);
        Assert.Contains("ROS 2 (stays as it is); TurtleBot (stays as it is); node = نوڈ.", model.Requests.First().Messages[0].Content, StringComparison.Ordinal);
        Assert.Equal(["ROS 2"], Glossary.BuiltIn.In("ROS 2 in microROS").Select(t => t.Term));
    }

    /// <summary>With 1 s and 12 ms for each token that the stub writes, all calls at once: 10 s for the whole, 3 s for the first segment.</summary>
    [Fact]
    public async Task A_chapter_of_3000_words_is_divided_into_calls_that_are_all_in_flight_at_once()
    {
        var chapter = string.Concat(Enumerable.Repeat(Chapter + "\n\n", 2)).Replace("Part", "Chapter part", StringComparison.Ordinal);
        Assert.InRange(chapter.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length, 3000, 4500);
        var written = new List<double>();
        var model = new StubTranslator((text, _) => Pseudo.OfSegment(text, Pseudo.Urdu)) { Answer = Record };
        var (_, outcomes) = await RunAsync(model, TranslatableDocument.Parse(string.Join("\n\n", chapter.Split("\n\n").Select((p, i) => p.StartsWith('#') ? p : $"{p} {i}"))), Urdu);

        Assert.InRange(written.Count, 2, new TranslationLimits().CallsPerDocument);
        Assert.True(1 + (0.012 * written.Max()) < 10, $"{written.Max()}");
        Assert.True(1 + (0.012 * written[0]) < 3, $"{written[0]}");
        Assert.DoesNotContain(outcomes, o => o.Text is null);

        string Record(string json)
        {
            written.Add(TokenEstimate.Of(System.Text.RegularExpressions.Regex.Unescape(json)));
            return json;
        }
    }

    [Theory]
    [InlineData(3, 2)]
    [InlineData(2, 3)]
    public async Task Calls_in_flight_are_limited_and_end_with_their_reader(int callsPerDocument, int callsPerProcess)
    {
        var gate = new TaskCompletionSource();
        var model = new StubTranslator((text, _) => Upper(text)) { Before = (_, token) => gate.Task.WaitAsync(token) };
        using var translator = new DocumentTranslator(Options.Create(new TranslationLimits { CallsPerDocument = callsPerDocument, CallsPerProcess = callsPerProcess, MostCallTokens = 10, LeastCallTokens = 10 }), model);
        using var leaves = new CancellationTokenSource();
        var reading = translator.TranslateAsync(TranslatableDocument.Parse(Chapter), Urdu, leaves.Token).ToListAsync(CancellationToken.None).AsTask();
        await Until.TrueAsync(() => Task.FromResult(model.Calls.Count == 2), "Two calls are not in flight.");
        await leaves.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        Assert.Equal((2, 2), (model.MostInFlight, model.Calls.Count));
    }

    [Theory]
    [InlineData("ur", "rtl")]
    [InlineData("ar-EG", "rtl")]
    [InlineData("ur-Latn", "ltr")]
    [InlineData("az-Arab", "rtl")]
    [InlineData("de", "ltr")]
    public void A_language_has_a_direction(string language, string direction) => Assert.Equal(direction, TextDirection.Of(language));

    private static TranslationTask Urdu => new("en", "ur");

    /// <summary>The reasons that a request gives.</summary>
    private static string[] Problems(ModelRequest request)
    {
        using var message = JsonDocument.Parse(request.Messages[^1].Content);

        return [.. message.RootElement.GetProperty("segments").EnumerateArray().Select(segment => segment.GetProperty("problem").GetString()!)];
    }

    private static string Upper(string text) => Pseudo.OfSegment(text, t => t.ToUpperInvariant());

    private static Task<(TranslatedDocument Page, List<SegmentTranslation> Outcomes)> RunAsync(StubTranslator model, string page) =>
        RunAsync(model, TranslatableDocument.Parse(page), Urdu);

    private static async Task<(TranslatedDocument Page, List<SegmentTranslation> Outcomes)> RunAsync(IChatModel model, TranslatableDocument document, TranslationTask task)
    {
        using var translator = new DocumentTranslator(Options.Create(new TranslationLimits()), model);
        var outcomes = await translator.TranslateAsync(document, task, Token).ToListAsync(Token);

        return (TranslatedDocument.Of(document, outcomes, HeadingIds.Comment), outcomes);
    }

    private sealed class SchemalessModel(IChatModel inner) : IChatModel
    {
        public string Name => inner.Name;

        public IAsyncEnumerable<ModelPiece> StreamAsync(ModelRequest request, CancellationToken cancellationToken) => request.JsonSchema is null
            ? inner.StreamAsync(request, cancellationToken)
            : throw new ModelException(ModelFailure.Failed, "The model's server did not accept the request (400).");
    }
}
