using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Tests.Infrastructure.Search.Words;

public sealed class SpellingTests
{
    private static readonly AnalyzedText Book = TextAnalyzer.Analyze(
        "The controller balances a walking robot. Her équilibre tells; Türkiye'de ağır robotlar yürür. الروبوت يمشي. Робот шагает. rclpy.spin(node) GEARS");

    [Theory]
    [InlineData("How does the contrlller work?", "How does the controller work?")]
    [InlineData("How does the cotnroller work?", "How does the controller work?")]
    [InlineData("How does the cntroller work?", "How does the controller work?")]
    [InlineData("How does the conttroller work?", "How does the controller work?")]
    [InlineData("Blancing?", "balancing?")]
    [InlineData("CNTROLLER", "controller")]
    [InlineData("Türkye'nin", "türkiye'nin")]
    [InlineData("yürrü", "yürür")]
    [InlineData("équlibre", "équilibre")]
    [InlineData("шгает", "шагает")]
    [InlineData("الروبزت", "الروبوت")]
    // Arabic words have fewer letters.
    [InlineData("يشمي", "یمشی")]
    public void A_word_one_error_away_from_a_word_of_the_book_is_read_as_that(string question, string corrected) =>
        Assert.Equal(corrected, Correct(question));

    [Theory]
    [InlineData("controller")]
    [InlineData("controllers")]
    [InlineData("gons gera")]
    [InlineData("cnotrlller")]
    [InlineData("kontroller")]
    [InlineData("ROBOTT1 robot_1 RobotArm rclpy.spn --balanec")]
    [InlineData("机器入")]
    [InlineData("ROS 3")]
    public void Other_words_short_words_numbers_and_identifiers_stay(string question) => Assert.Equal(question, Correct(question));

    [Fact]
    public void A_word_that_the_book_has_is_never_changed() =>
        Assert.Empty(Spelling.Find("Which balances balance a robot?", term => !Book.Frequencies.ContainsKey(term)));

    [Theory]
    [InlineData("Türkiye'de yürürken")]
    [InlineData("روبوتات")]
    [InlineData("robotları kaç")]
    public void Another_form_of_a_word_of_the_book_is_no_error(string question) => Assert.Equal(question, Correct(question));

    [Fact]
    public void A_mistyped_common_word_is_read_as_that_and_a_common_word_is_no_error()
    {
        Assert.Equal("robot which walks", Correct("robot whcih walks"));
        Assert.Equal("Please explain the robot", Correct("Please explian the robot"));
        Assert.Equal("Robot nedir ve nasıl", Correct("Robot nedir ve nasıl"));
        Assert.Equal("Robot nedir", Correct("Robot nednr"));
        Assert.Equal("الروبوت لماذا", Correct("الروبوت لملذا"));
    }

    [Theory]
    [InlineData("Wat is a robot?", "what is a robot?")]
    [InlineData("hwo does it walk", "how does it walk")]
    [InlineData("Wich robot and hwo", "which robot and how")]
    [InlineData("tell me waht a robot is", "tell me what a robot is")]
    [InlineData("Wer ist dre Robot", "Wer ist der Robot")]
    [InlineData("whst is a robot", "what is a robot")]
    public void A_short_word_is_read_as_the_stop_word_that_it_may_stand_for(string question, string corrected) => Assert.Equal(corrected, Correct(question));

    [Theory]
    [InlineData("Is a bot a robot?")]
    [InlineData("Bot robot")]
    [InlineData("Hot robot")]
    [InlineData("robot wat")]
    [InlineData("robot form")]
    [InlineData("NATO robot")]
    [InlineData("The wok")]
    public void Other_short_words_that_are_like_a_stop_word_stay(string question) => Assert.Equal(question, Correct(question));

    [Fact]
    public void A_question_with_many_unknown_words_has_another_subject()
    {
        Assert.Equal(3, Spelling.Find("robod walkign contrlller", _ => true).Count);
        Assert.Empty(Spelling.Find("robod walkign contrlller balanec", _ => true));
    }

    [Fact]
    public void A_corrected_word_counts_less()
    {
        var question = Spelling.Correct("robto controller", Spelling.Find("robto controller", IsUnknown), term => !IsUnknown(term));

        Assert.Equal(
            [("control", 1), ("robot", Spelling.Discount)], QueryTerms.Of(question!).Select(t => (t.Term, t.Weight)));
    }

    private static bool IsUnknown(string term) => !Book.Frequencies.ContainsKey(term);

    private static string Correct(string question) => Spelling.Correct(question, Spelling.Find(question, IsUnknown), term => !IsUnknown(term))?.Text ?? question;
}
