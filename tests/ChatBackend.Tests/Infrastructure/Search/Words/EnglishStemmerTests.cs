using ChatBackend.Infrastructure.Search.Words;
using Dapper;

namespace ChatBackend.Tests.Infrastructure.Search.Words;

public sealed class EnglishStemmerTests(SearchDatabase database) : IClassFixture<SearchDatabase>
{
    [Theory]
    [InlineData("consistency", "consist")]
    [InlineData("consigned", "consign")]
    [InlineData("consolations", "consol")]
    [InlineData("knackeries", "knackeri")]
    [InlineData("knightly", "knight")]
    [InlineData("generously", "generous")]
    [InlineData("communication", "communic")]
    [InlineData("hopping", "hop")]
    [InlineData("hoping", "hope")]
    [InlineData("luxuriated", "luxuri")]
    [InlineData("ties", "tie")]
    [InlineData("cries", "cri")]
    [InlineData("gas", "gas")]
    [InlineData("kiwis", "kiwi")]
    [InlineData("dying", "die")]
    [InlineData("say", "say")]
    [InlineData("by", "by")]
    [InlineData("publishers", "publish")]
    [InlineData("robot's", "robot")]
    [InlineData("nodes", "node")]
    [InlineData("controllability", "control")]
    [InlineData("proceeding", "proceed")]
    [InlineData("axes", "axi")]
    [InlineData("matrices", "matrix")]
    [InlineData("analyses", "analysi")]
    [InlineData("hypotheses", "hypothesi")]
    [InlineData("'", "'")]
    [InlineData("'''", "")]
    [InlineData("a", "a")]
    public void Stems_as_published(string word, string stem) => Assert.Equal(stem, EnglishStemmer.Stem(word));

    /// <summary>PostgreSQL contains the Snowball project's own English stemmer, so it gives independent results to compare with.</summary>
    [Fact]
    public async Task Agrees_with_the_stemmer_inside_PostgreSQL()
    {
        string[] roots =
        [
            "generat", "commun", "arsen", "robot", "control", "navig", "local", "actuat", "sens", "plan", "stabil", "optim", "learn", "hop", "hopp",
            "fall", "yield", "play", "cry", "ski", "agre", "feed", "anomal", "humanoid", "relational", "condition", "digit", "vietnam", "form",
            "oper", "sensib", "radical", "different", "vile", "analog", "tripl", "depend", "irrit", "replac", "adjust", "adopt", "homolog", "effect",
            "bowdler", "roll", "rat", "ceas", "dy", "sky", "toy", "boy", "buzz", "fizz", "box", "snow", "inn", "out", "cann", "exceed", "succ",
        ];
        string[] endings =
        [
            "", "s", "es", "ed", "ing", "er", "ers", "ly", "y", "ies", "ied", "ion", "ions", "ation", "ational", "ization", "ize", "izer", "ized",
            "al", "ally", "alism", "ality", "able", "ably", "ability", "ible", "ive", "iveness", "ivity", "ness", "ful", "fulness", "fully", "less",
            "lessly", "ous", "ously", "ousness", "ence", "ency", "ently", "ance", "ancy", "ment", "ement", "ate", "ator", "ative", "ic", "ical",
            "icate", "icity", "ogy", "ism", "iti", "e", "ee", "eed", "eedly", "edly", "ingly", "'s", "ss", "sses", "us", "ll", "li", "bli",
        ];
        var words = roots.SelectMany(r => endings.Select(e => r + e)).Distinct().ToArray();

        await using var connection = await database.Connections.OpenConnectionAsync();
        await connection.ExecuteAsync("create text search dictionary bare_english (template = snowball, language = english)");
        var expected = (await connection.QueryAsync<(string, string)>(
            "select w, (ts_lexize('bare_english', w))[1] from unnest(@words) w", new { words })).ToList();

        var wrong = expected.Where(e => EnglishStemmer.Stem(e.Item1) != e.Item2)
            .Select(e => $"{e.Item1}: {EnglishStemmer.Stem(e.Item1)}, not {e.Item2}").ToList();
        Assert.Equal(words.Length, expected.Count);
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }
}
