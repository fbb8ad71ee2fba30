using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Tests.Infrastructure.Search.Words;

public sealed class LightStemmerTests
{
    [Theory]
    [InlineData("kitabi", "kitap")]
    [InlineData("kitaplar", "kitap")]
    [InlineData("çocuğu", "cocuk")]
    [InlineData("kanadi", "kanat")]
    [InlineData("gölge", "kölke")]
    [InlineData("ağaci", "akaci")]
    [InlineData("bir", null)]
    [InlineData("dört", null)]
    [InlineData("ros2nin", null)]
    public void A_Turkish_stem_is_five_letters_with_hard_consonants(string word, string? stem) => Assert.Equal(stem, LightStemmer.OfTurkish(word));

    [Theory]
    // The article, also after a preposition and "and".
    [InlineData("المحرک", "محرک")]
    [InlineData("بالمحرک", "محرک")]
    [InlineData("فالمحرک", "محرک")]
    [InlineData("کالمحرک", "محرک")]
    [InlineData("للمحرک", "محرک")]
    [InlineData("والمحرک", "محرک")]
    // The w of these is a part of the word.
    [InlineData("وطن", "وطن")]
    [InlineData("وزیر", "وزیر")]
    // Persian verbs have no article, and no "and" before their stem.
    [InlineData("میچرخد", "چرخد")]
    [InlineData("نمیچرخد", "چرخد")]
    [InlineData("میورزند", "ورزند")]
    // Endings, also several.
    [InlineData("رباتها", "ربات")]
    [InlineData("رباتهایی", "ربات")]
    [InlineData("سریعتر", "سریع")]
    [InlineData("سریعترین", "سریع")]
    [InlineData("مهندسان", "مهندس")]
    [InlineData("مهندسون", "مهندس")]
    [InlineData("مهندسین", "مهندس")]
    [InlineData("محرکات", "محرک")]
    [InlineData("سرعه", "سرع")]
    [InlineData("عربی", "عرب")]
    [InlineData("عربیه", "عرب")]
    [InlineData("مهندسانی", "مهندس")]
    // Three letters remain.
    [InlineData("الان", "الان")]
    [InlineData("زبان", "زبان")]
    [InlineData("میز", "میز")]
    [InlineData("نه", null)]
    [InlineData("robot", null)]
    public void A_stem_in_Arabic_script_has_no_usual_prefix_and_ending_and_three_letters(string word, string? stem) =>
        Assert.Equal(stem, LightStemmer.OfArabicScript(word));
}
