using System.Collections.Frozen;

namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>English words that are common in questions and say little about the topic. They are searched, but count less than other words,
/// because a passage without them may still be the answer.</summary>
internal static class EverydayWords
{
    private static readonly FrozenSet<string> Stems = (
        """
        abbreviation ability able acronym actually always answer anybody anyone anything ask away bad began begin begun best better big bit book came certain certainly
        change chapter choose chose chosen come common compare consider correct count course decide define definition describe describes description detail
        difference different difficult easy end enough especially everybody everyone everything exactly example explain explanation
        fast few find first forever forget forgot gave general give given go good great guess happen hard help hint idea important
        instead keep kind knew know known last late least leave less like long look lot main many matter maybe
        mean meaning meant mostly much name necessary need never new nobody normally nothing often old opposite part
        people perhaps person pick possible prefer pretty probably problem purpose put question quick quickly quite
        ready really reason remember said say see seem show shown similar simple simpler simply slow somebody someone
        something sometimes soon sort start stop stuff suggest summary suppose sure take taken tell textbook thing thought
        think time together told too took try understand usage use useful usual usually various want way well
        wonder word work worse worst worth write written wrong wrote
        """).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(EnglishStemmer.Stem).ToFrozenSet(StringComparer.Ordinal);

    private const double Weight = 0.3;

    public static bool Contain(string stem) => Stems.Contains(stem);

    /// <summary>What a term of a question counts: 1, or less for an everyday word.</summary>
    public static double WeightOf(string stem) => Contain(stem) ? Weight : 1;
}
