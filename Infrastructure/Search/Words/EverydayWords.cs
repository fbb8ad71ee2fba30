using System.Collections.Frozen;

namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>English words that are common in questions and say little about the topic. They are searched like other words,
/// but a passage without them may still be the answer.</summary>
internal static class EverydayWords
{
    private static readonly FrozenSet<string> Stems = (
        """
        ability able actually always answer anybody anyone anything ask away bad begin best better big bit certain certainly
        change choose come common compare consider correct count course decide define describe describes description detail
        difference different difficult easy end enough especially everybody everyone everything exactly example explain explanation
        fast few find first forever forget general give go good great guess happen hard help hint idea important
        instead keep kind know last late least leave less like long look lot main many matter maybe
        mean meaning mostly much name necessary need never new nobody normally nothing often old opposite part
        people perhaps person pick possible prefer pretty probably problem purpose put question quick quickly quite
        ready really reason remember say see seem show similar simple simpler simply slow somebody someone
        something sometimes soon sort start stop stuff suggest summary suppose sure take tell thing
        think time together too try understand usage use useful usual usually various want way well
        wonder word work worse worst worth write wrong
        """).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(EnglishStemmer.Stem).ToFrozenSet(StringComparer.Ordinal);

    public static bool Contain(string stem) => Stems.Contains(stem);
}
