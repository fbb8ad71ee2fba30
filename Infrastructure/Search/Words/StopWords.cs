using System.Collections.Frozen;

namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>English function words, which say nothing about the topic.</summary>
internal static class StopWords
{
    private static readonly FrozenSet<string> English = (
        """
        a an the this that these those
        i me my myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
        it its itself they them their theirs themselves one
        who whom whose which what when where why how whether
        am is are was were be been being do does did doing done have has had having
        can could may might must shall should will would ought
        and or but nor so if then else than because as while until unless though although
        of at by for with about against between into through during versus vs before after above below to from up down in out on off
        over under upon within without toward towards among per via
        again further once here there now both each few more most other another some any all such no not only own same too very
        also just ever even yet still thus hence therefore however rather
        please tell explain let get got make made
        s t d ll m o re ve
        i'm i've i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll it's it'd it'll we're we've we'd we'll
        they're they've they'd they'll that's there's here's what's who's where's how's when's why's let's
        isn't aren't wasn't weren't don't doesn't didn't hasn't haven't hadn't can't cannot couldn't won't wouldn't shouldn't mustn't mightn't shan't needn't
        """).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string> QuestionWords =
        new[] { "who", "whom", "whose", "which", "what", "when", "where", "why", "how" }.ToFrozenSet(StringComparer.Ordinal);

    public static IEnumerable<string> All => English;

    /// <summary>The word must be in lower case.</summary>
    public static bool IsQuestionWord(string word) => QuestionWords.Contains(word);

    /// <summary>The word must be in lower case, with straight apostrophes.</summary>
    public static bool Contain(string word) => English.Contains(word);
}
