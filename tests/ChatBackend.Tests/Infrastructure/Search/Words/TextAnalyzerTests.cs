using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Words;
using FsCheck;
using FsCheck.Fluent;

namespace ChatBackend.Tests.Infrastructure.Search.Words;

public sealed class TextAnalyzerTests
{
    /// <summary>Linear work takes milliseconds; only quadratic work takes this long.</summary>
    private static readonly TimeSpan Unbearable = TimeSpan.FromMinutes(1);

    [Fact]
    public void What_only_asks_for_a_meaning_is_not_searched_for()
    {
        Assert.Equal(["zmp"], QueryTerms.Of(new("What does ZMP stand for?")).Select(t => t.Term));
        Assert.Equal(["zmp"], QueryTerms.Of(new("full form of ZMP")).Select(t => t.Term));
        Assert.Contains("stand", QueryTerms.Of(new("Does the robot stand for long hours?")).Select(t => t.Term));
        // There is nothing else to search for.
        Assert.Contains("stand", QueryTerms.Of(new("stand for")).Select(t => t.Term));
    }

    [Theory]
    [InlineData("How do two nodes communicate?", "two node communic")]
    [InlineData("The robot’s joints don't move", "robot joint move")]
    [InlineData("NODES and Nodes", "node")]
    [InlineData("maths, mathematics, math", "mathemat")]
    [InlineData("ﬁlter ｆｕｌｌ", "filter full")]
    [InlineData("café naïve", "café naïve")]
    [InlineData("over 24,000 steps at 3.14 rad", "24,000 step 3.14 rad")]
    [InlineData("_emphasis_ and __bold__", "emphasi bold")]
    [InlineData("topics vs. services", "topic servic")]
    [InlineData(@"$\boldsymbol{\tau} = \mathbf{J}^\top$ in C:\tools", "tau j top c tool")]
    [InlineData(@"\usepackage{x} \textbf{y}", "usepackag x textbf y")]
    public void English_loses_stop_words_and_endings(string text, string terms) => Assert.Equal(terms.Split(' '), Terms(text));

    [Theory]
    [InlineData("create_publisher", "create_publisher creat publish")]
    [InlineData("rclpy.spin", "rclpy.spin rclpi spin")]
    [InlineData("/cmd_vel", "cmd_vel cmd vel")]
    [InlineData("JointState", "jointstat joint state")]
    [InlineData("URDFParser", "urdfpars urdf parser")]
    [InlineData("ros2", "ros2 ros 2")]
    public void Code_identifiers_are_found_whole_and_by_their_parts(string text, string terms) => Assert.Equal(terms.Split(' '), Terms(text));

    [Theory]
    [InlineData("jointstate", "JointState")]
    [InlineData("ROS 2", "ros2")]
    [InlineData("create publisher", "node.create_publisher(Twist)")]
    [InlineData("cmd_vel", "publishes `/robot1/cmd_vel`")]
    [InlineData("كتاب", "کِتابـــ")]
    [InlineData("روبوٹ کی ٹانگیں", "روبوٹ كى ٹانگيں")]
    [InlineData("أمان", "امان")]
    [InlineData("۲۰۲۴", "2024")]
    public void A_question_finds_the_other_spelling(string question, string text) =>
        Assert.Subset(Terms(text).ToHashSet(), TextAnalyzer.AnalyzeQuery(question).Frequencies.Keys.ToHashSet());

    [Theory]
    [InlineData("Broncos'u", "bronco")]
    [InlineData("Broncos’un galibiyeti", "bronco galibiyeti")]
    [InlineData("Türkiye'nin", "türkiye")]
    [InlineData("l'équilibre", "équilibre")]
    [InlineData("L’Équilibre d’un robot", "équilibre robot")]
    [InlineData("dell'equilibrio", "dell equilibrio")]
    [InlineData("TensorFlow'un", "tensorflow tensor flow")]
    [InlineData("the robot's arms, the robots' arms", "robot arm")]
    [InlineData("O'Neill isn't here, rock 'n' roll", "neill rock n roll")]
    public void Of_a_word_with_an_apostrophe_the_parts_count_that_can_stand_alone(string text, string terms) =>
        Assert.Equal(terms.Split(' '), Terms(text));

    [Theory]
    [InlineData("İstanbul ISPARTA", "istanbul ısparta")]
    [InlineData("dell'acqua", "acqua")]
    [InlineData("équilibre", "l'équilibre")]
    [InlineData("the IMUs", "an IMU")]
    [InlineData("GPU's and URDFs", "GPU, URDF")]
    public void Both_spellings_have_the_same_term(string one, string other) => Assert.NotEmpty(Terms(one).Intersect(Terms(other)));

    [Fact]
    public void A_plural_acronym_is_its_singular() => Assert.Equal(Terms("two IMU and three URDF"), Terms("two IMUs and three URDFs"));

    [Theory]
    [InlineData("--no-cache", "--no-cache")]
    [InlineData("What does `-x` do?", "-x")]
    [InlineData("ros2 bag record (-a)", "ros2 ros 2 bag record -a")]
    [InlineData("--lora-rank=32", "--lora-rank 32")]
    [InlineData("-x", "-x")]
    [InlineData("-ROS nodes with -rf", "ros node -rf")]
    public void A_question_about_a_command_line_option_is_about_no_words_of_it(string question, string terms) =>
        Assert.Equal(terms.Split(' '), TextAnalyzer.AnalyzeQuery(question).Frequencies.Keys);

    [Fact]
    public void A_command_line_option_is_found_where_it_stands_and_by_its_words()
    {
        Assert.Equal(["docker", "build", "--no-cache", "cach"], Terms("docker build --no-cache"));
        Assert.DoesNotContain("--no-cache", Terms("There is no cache, no-cache, or a --- line; well-known, -5, x-y."));
        Assert.DoesNotContain(Terms("no-cache, pre- and post-, 3 -4"), t => t[0] == '-');
    }

    [Fact]
    public void An_acronym_is_no_stop_word()
    {
        Assert.Equal(["can", "bus"], Terms("the CAN bus"));
        Assert.Equal(["bus"], Terms("can the bus"));
        Assert.Equal(["bus"], Terms("CAN THE BUS"));
    }

    [Fact]
    public void Hindi_vowel_signs_stay_in_their_word()
    {
        Assert.Contains("रोबोटिक्स", Terms("भौतिक रोबोटिक्स क्या है?"));
        Assert.DoesNotContain("रोबोट", Terms("रोबोटिक्स"));
        Assert.NotEmpty(Terms("रोबोट").Intersect(Terms("रोबोटिक्स")));
    }

    [Fact]
    public void Urdu_words_share_grams_with_their_inflections()
    {
        Assert.Equal(["سینسر", "^سینسر", "~_سین", "~سینس", "~ینسر", "~نسر_"], Terms("سینسر"));
        Assert.NotEmpty(Terms("سینسر").Intersect(Terms("سینسرز")));
    }

    [Theory]
    [InlineData("tekerleğinden", "tekerlekleri ağır")]
    [InlineData("kitabı", "Kitaplar açık")]
    [InlineData("المحركات", "محرك")]
    [InlineData("والأقدام", "قدم أقدام")]
    [InlineData("مهندسون", "المهندسين")]
    [InlineData("ربات‌هایی", "ربات")]
    [InlineData("می‌چرخد", "چرخ چرخد")]
    public void Inflected_forms_of_a_word_share_their_stem(string word, string text) =>
        Assert.NotEmpty(Stems(word).Intersect(Stems(text)));

    [Fact]
    public void Only_Turkish_and_Arabic_script_have_stems_beside_their_words()
    {
        Assert.Equal(["robot", "bacak", "^pacak", "yürür", "^yürür", "açi"], Terms("robot bacak yürür açı").Where(t => t != "^ropot"));
        Assert.Empty(Stems("The robots walk. Die Füße gehen. Робот шагает. 机器人"));
        // A question may have none of the letters that only Turkish has.
        Assert.Contains("^kamer", TextAnalyzer.AnalyzeQuery("Kamera nedir?").Frequencies.Keys);
    }

    [Fact]
    public void A_stem_does_not_make_a_text_longer() => Assert.Equal(2, TextAnalyzer.Analyze("bacağı yürür").Length);

    [Fact]
    public void A_gram_is_never_a_word() => Assert.DoesNotContain("سینس", Terms("سینسر"));

    [Theory]
    [InlineData("机器人学", "机器 器人 人学")]
    [InlineData("ロボット", "ロボ ボッ ット")]
    [InlineData("ROS2机器人", "ros2 ros 2 机器 器人")]
    public void Scripts_without_spaces_give_bigrams(string text, string terms) => Assert.Equal(terms.Split(' '), Terms(text));

    [Fact]
    public void A_question_of_stop_words_alone_keeps_its_words()
    {
        Assert.Empty(Terms("to be or not"));
        Assert.Equal(["to", "be", "or", "not"], TextAnalyzer.AnalyzeQuery("to be or not").Frequencies.Keys);
    }

    [Fact]
    public void Counts_add_up()
    {
        var analyzed = TextAnalyzer.Analyze("node, node and topic");

        Assert.Equal(2, analyzed.Frequencies["node"]);
        Assert.Equal(3, analyzed.Length);
    }

    [Theory]
    [InlineData("robot \uD800 arm")]
    [InlineData("robot\uDC00 arm")]
    [InlineData("robot \0 arm\uD800")]
    [InlineData("robot \uFFFE arm")]
    public void Lone_surrogates_NUL_and_U_FFFE_only_separate(string text) => Assert.Equal(["robot", "arm"], Terms(text));

    [Fact]
    public void Any_text_gives_terms_that_PostgreSQL_can_store()
    {
        var property = Prop.ForAll(Gen.Choose(0, 0xFFFF).Select(c => (char)c).ArrayOf().ToArbitrary(), characters =>
        {
            var analyzed = TextAnalyzer.Analyze(new string(characters));
            return analyzed.Length == analyzed.Frequencies.Where(t => TextAnalyzer.IsWord(t.Key)).Sum(t => t.Value)
                && analyzed.Frequencies.Keys.All(t => t.Length is > 0 and <= TextAnalyzer.MaxTermLength
                    && ValidationFilter.IsStorable(t));
        });

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), property);
    }

    [Fact]
    public void Case_never_matters_but_for_acronyms_and_joined_words()
    {
        var words = Gen.Elements("robot", "arm", "walks", "é", "روبوٹ", "रोबोट", "node").ListOf().Select(w => string.Join(' ', w));
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(words.ToArbitrary(), text => Terms(text).SequenceEqual(Terms(text.ToUpperInvariant()))));
    }

    [Theory]
    [InlineData('a')]
    [InlineData('_')]
    [InlineData('\u0301')]
    [InlineData('ک')]
    [InlineData('机')]
    [InlineData('.')]
    public void A_megabyte_of_one_character_is_fast_and_its_terms_are_short(char character)
    {
        var watch = new ThreadTime();
        var analyzed = TextAnalyzer.Analyze(new(character, 1_000_000));

        Assert.True(watch.Elapsed < Unbearable, $"{watch.Elapsed}");
        Assert.All(analyzed.Frequencies.Keys, t => Assert.InRange(t.Length, 1, TextAnalyzer.MaxTermLength));
    }

    [Fact]
    public void A_megabyte_of_marks_out_of_order_is_fast()
    {
        var watch = new ThreadTime();
        TextAnalyzer.Analyze("a" + string.Concat(Enumerable.Repeat("\u0301\u0323", 500_000)));

        Assert.True(watch.Elapsed < Unbearable, $"{watch.Elapsed}");
    }

    [Fact]
    public void A_megabyte_of_prose_is_fast()
    {
        var prose = string.Concat(Enumerable.Range(0, 30_000).Select(i => $"The humanoid walked over obstacle_{i} carefully. "));
        var watch = new ThreadTime();

        Assert.True(TextAnalyzer.Analyze(prose).Frequencies.ContainsKey("obstacle_29999"));
        Assert.True(watch.Elapsed < Unbearable, $"{watch.Elapsed}");
    }

    [Theory]
    [InlineData("can't stop", "can't|stop")]
    [InlineData("3.14, 2", "3.14|2")]
    [InlineData("a.b .c d.", "a.b|c|d")]
    [InlineData("x_1 _ y", "x_1|y")]
    [InlineData("हिन्दी में", "हिन्दी|में")]
    [InlineData("می\u200Cروم", "می\u200Cروم")]
    [InlineData("机器ab", "机器|ab")]
    public void Words_end_where_UAX_29_says(string text, string words) =>
        Assert.Equal(words.Split('|'), WordSegmenter.Segments(text).Select(s => text.Substring(s.Start, s.Length)));

    [Fact]
    public void A_UUID_of_version_5_is_the_one_of_the_standard() =>
        // RFC 9562, appendix A.4.
        Assert.Equal(new Guid("2ed6657d-e927-568b-95e1-2665a8aea6a2"), UuidVersion5.Create(new("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "www.example.com"));

    private static List<string> Stems(string text) => [.. Terms(text).Where(t => t[0] == TextAnalyzer.StemPrefix)];

    private static List<string> Terms(string text) => [.. TextAnalyzer.Analyze(text).Frequencies.Keys];
}
