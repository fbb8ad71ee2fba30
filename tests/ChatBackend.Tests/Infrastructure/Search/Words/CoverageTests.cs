using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Tests.Infrastructure.Search.Words;

public sealed class CoverageTests
{
    /// <summary>One book in six languages. The first passage of each language answers the question of the theory below.</summary>
    private static readonly AnalyzedText[] Book =
    [
        .. new[]
        {
            "The zero moment point must stay inside the support polygon of a humanoid.", "A camera measures the depth of every pixel.",
            "Robotun denge noktası destek çokgeninin içinde kalmalıdır.", "Kamera her pikselin derinliğini ölçer.",
            "يجب أن تبقى نقطة العزم الصفرية داخل مضلع الارتكاز.", "تقيس الكاميرا عمق كل بكسل.",
            "نقطه گشتاور صفر باید داخل چندضلعی تکیه‌گاه بماند.", "دوربین عمق هر پیکسل را اندازه می‌گیرد.",
            "零力矩点必须位于支撑多边形之内。", "相机测量每个像素的深度。",
            "จุดโมเมนต์ศูนย์ต้องอยู่ภายในรูปหลายเหลี่ยมรองรับ", "กล้องวัดความลึกของทุกพิกเซล",
        }.Select(TextAnalyzer.Analyze),
    ];

    [Theory]
    [InlineData("Where must the zero moment point stay?", 0, "Which wine goes with oysters?")]
    [InlineData("Robotun denge noktası nerede kalmalıdır?", 2, "İstanbul'da hava yarın nasıl olacak?")]
    [InlineData("أين يجب أن تبقى نقطة العزم الصفرية؟", 4, "ما هي عاصمة أستراليا؟")]
    [InlineData("نقطه گشتاور صفر باید کجا بماند؟", 6, "پایتخت استرالیا کجاست؟")]
    [InlineData("零力矩点位于哪里？", 8, "澳大利亚的首都是什么？")]
    [InlineData("จุดโมเมนต์ศูนย์ต้องอยู่ที่ไหน", 10, "เมืองหลวงของออสเตรเลียคืออะไร")]
    public void One_line_divides_what_the_book_has_from_what_it_lacks_in_every_script(string question, int answer, string offTopic)
    {
        var coverage = Cover(question);

        Assert.Equal(answer, Array.IndexOf(coverage, coverage.Max()));
        Assert.InRange(coverage.Max(), 0.7, 1);
        Assert.InRange(Cover(offTopic).Max(), 0, 0.3);
    }

    [Theory]
    // The words of a question that say nothing about its topic do not count: nedir, ما هو, چیست, 什么是, คืออะไร.
    [InlineData("Kamera nedir?")]
    [InlineData("ما هي الكاميرا؟")]
    [InlineData("دوربین چیست؟")]
    [InlineData("什么是相机？")]
    [InlineData("กล้องคืออะไร")]
    public void Question_words_of_other_languages_do_not_count(string question) =>
        // In scripts without spaces, the grams between two words are missing.
        Assert.InRange(Cover(question).Max(), 0.6, 1);

    [Fact]
    public void A_word_counts_to_the_degree_that_the_passage_has_it()
    {
        // Half of the word's 4-grams, or most of its beginning; less is chance.
        Assert.InRange(Cover("الكاميرات").Max(), 0.5, 0.99);
        Assert.InRange(Cover("pikselini").Max(), 0.75, 0.99);
        // A typing error in a script without spaces changes the grams around it: 保 for 支.
        Assert.InRange(Cover("保撑多边形").Max(), 0.75, 0.99);
        // Another form of the word: kalmalıdır, مضلع.
        Assert.InRange(Cover("kalmalarından")[2], 0.65, 0.9);
        Assert.InRange(Cover("والمضلعات")[4], 0.65, 0.9);
        Assert.Equal(0, Cover("campus").Max());
        Assert.Equal(0, Cover("H1").Max());
    }

    [Fact]
    public void What_the_book_has_nowhere_weighs_most() =>
        Assert.True(Cover("the pixel of a humanoid")[0] > Cover("the lighthouse of a humanoid")[0]);

    [Fact]
    public void A_question_of_nothing_but_stop_words_is_compared_with_these() => Assert.Equal(1, Cover("的", TextAnalyzer.Analyze("的"))[0]);

    /// <summary>Thai is an alphabet: nearly every two letters of a question stand beside each other somewhere in a paragraph.</summary>
    [Fact]
    public void Letters_of_an_alphabet_without_spaces_that_occur_anyway_do_not_cover_a_question()
    {
        const string Paragraph =
            "หุ่นยนต์ฮิวแมนนอยด์รักษาสมดุลโดยควบคุมจุดโมเมนต์ศูนย์ให้อยู่ภายในรูปหลายเหลี่ยมรองรับ เซ็นเซอร์วัดแรงที่เท้าและหน่วยวัดความเฉื่อยส่งข้อมูลไปยังตัวควบคุม " +
            "ตัวควบคุมคำนวณแรงบิดของข้อต่อทุกมิลลิวินาที กล้องและไลดาร์สร้างแผนที่ของสภาพแวดล้อม และตัววางแผนเลือกก้าวต่อไปของหุ่นยนต์";

        Assert.InRange(Cover("เมืองหลวงของประเทศออสเตรเลียคืออะไร", TextAnalyzer.Analyze(Paragraph))[0], 0, 0.2);
        Assert.InRange(Cover("หุ่นยนต์รักษาสมดุลอย่างไร", TextAnalyzer.Analyze(Paragraph))[0], 0.7, 1);
    }

    [Fact]
    public void A_passage_covers_more_of_a_question_the_more_often_and_the_nearer_together_it_has_its_words()
    {
        const string Question = "humanoid support polygon";
        const string Rest = "A camera measures the depth of every pixel. Its lens is made of glass. Maps are drawn from many such pictures. ";
        string[] passages =
        [
            "A humanoid stands on its support polygon. The support polygon of a humanoid is small. " + Rest + Rest,
            "A humanoid stands on its support polygon. " + Rest + Rest,
            "A humanoid stands. " + Rest + "It has support. " + Rest + "A polygon is drawn.",
        ];
        var coverage = Coverage.Among(Question, [.. passages.Select(TextAnalyzer.Analyze)]);
        var covered = passages.Select(p => coverage.OfPassage(TextAnalyzer.Analyze(p), TextAnalyzer.Analyze(""), PassageTerms.OfSentences(p))).ToArray();

        Assert.True(covered[0] > covered[1] && covered[1] > covered[2], string.Join(' ', covered));
        Assert.InRange(covered[2], 0.2, 0.7);
    }

    /// <summary>One word of two stands in some passage by chance, and in a large book in more of them.</summary>
    [Fact]
    public void Half_of_a_short_question_counts_less_than_half_of_a_long_one_and_less_in_a_large_book()
    {
        var passage = TextAnalyzer.Analyze("walrus gyroscope pangolin tapir");
        double Cover(string question, int passages) => new Coverage(
            new(question), [passage], QueryTerms.Of(new(question)).ToDictionary(t => t.Term, t => passage.Frequencies.ContainsKey(t.Term) ? 5.0 : (double?)null), passages)
            .OfPassage(passage, TextAnalyzer.Analyze(""), [passage]);

        var (one, two, four) = (Cover("walrus", 150), Cover("walrus gyroscope", 150), Cover("walrus gyroscope pangolin tapir", 150));

        Assert.Equal((1 / 1.5, 2 / 2.5, 4 / 4.5), (one, two, four));
        Assert.Equal(two, Cover("walrus gyroscope", 1), 6);
        Assert.Equal(2 / 3.0, Cover("walrus gyroscope", (int)(150 * Math.E * Math.E)), 3);
        Assert.InRange(Cover("walrus", 10_000_000), 0.35, 0.4);
    }

    /// <summary>"Which book is written so?" says so little that no passage covers it, whatever it has.</summary>
    [Fact]
    public void A_question_of_everyday_words_is_covered_less_than_one_of_other_words()
    {
        var passage = TextAnalyzer.Analyze("book written walrus gyroscope");
        double Cover(string question) => new Coverage(new(question), [passage], QueryTerms.Of(new(question)).ToDictionary(t => t.Term, double? (t) => 5.0), 150)
            .OfPassage(passage, TextAnalyzer.Analyze(""), [passage]);

        Assert.Equal(2 / 2.5, Cover("walrus gyroscope"), 6);
        Assert.Equal(0.6 / 1.1, Cover("book written"), 6);
    }

    [Fact]
    public void An_everyday_word_counts_less_than_others() =>
        Assert.Equal([("differ", 0.3), ("topic", 1)], QueryTerms.Of(new("difference of topics")).OrderBy(t => t.Term).Select(t => (t.Term, t.Weight)));

    /// <summary>A book may have a form of a word in one passage alone, and the word itself in most.</summary>
    [Fact]
    public void A_rare_form_of_a_common_word_weighs_what_the_word_weighs()
    {
        AnalyzedText[] book = [.. Enumerable.Repeat("كتاب", 9).Append("كتابها زرافة").Select(TextAnalyzer.Analyze)];

        var coverage = Coverage.Among("كتابها زرافة", book);

        Assert.True(coverage.Weights[0] < 0.1 * coverage.Weights[1], string.Join(' ', coverage.Weights));
    }

    /// <summary>The stem of a word is in the passage as often as all its forms.</summary>
    [Fact]
    public void Other_forms_of_a_word_do_not_make_it_frequent()
    {
        // How often a word stands in a passage counts in a long one alone.
        var rest = string.Join(' ', Enumerable.Range(0, 80).Select(i => $"w{i}x"));
        string[] passages = [$"kitap kitapla kitapta kitaptan {rest}", $"kitap masa koltuk dolap {rest}"];

        var coverage = Coverage.Among("kitap kaç", [.. passages.Select(TextAnalyzer.Analyze), TextAnalyzer.Analyze("kaçıncı")]);
        var covered = passages.Select(p => coverage.OfPassage(TextAnalyzer.Analyze($"{p} ığ"), TextAnalyzer.Analyze(""), [])).ToArray();

        Assert.InRange(covered[1], 0.1, 1);
        Assert.Equal(covered[1], covered[0], 6);
    }

    [Fact]
    public void Terms_that_were_not_looked_up_do_not_count()
    {
        var question = "humanoid lighthouse";
        var rarity = new Dictionary<string, double?> { ["humanoid"] = 2 };

        Assert.Equal(1, new Coverage(new(question), [Book[0]], rarity, Book.Length).Of(Book[0]));
        Assert.Equal(0, new Coverage(new(question), [Book[0]], new Dictionary<string, double?>(), 0).Of(Book[0]));
        Assert.Empty(new Coverage(new(""), [], rarity, 0).Weights);
    }

    private static double[] Cover(string question, params AnalyzedText[] passages)
    {
        passages = passages.Length > 0 ? passages : Book;
        var coverage = Coverage.Among(question, passages);
        return [.. passages.Select(coverage.Of)];
    }
}
