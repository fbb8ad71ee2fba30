using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Search.Words;

/// <param name="Frequencies">How often each term occurs, in the order of first occurrence.</param>
/// <param name="Length">The sum of all frequencies, without those of 4-grams and stems: they repeat the letters of their words.</param>
internal sealed record AnalyzedText(IReadOnlyDictionary<string, int> Frequencies, int Length);

/// <summary>A word of a text, or a run of a script without spaces.</summary>
/// <param name="Text">Folded as by <see cref="TextAnalyzer.Fold"/>.</param>
/// <param name="Terms">A word's own term comes first, then its stem, its parts or 4-grams; a run's grams come in order.</param>
internal sealed record AnalyzedWord(string Text, bool IsRun, IReadOnlyList<string> Terms);

/// <summary>
/// Turns text into search terms. All indexes use it, for passages and for questions.
/// <list type="bullet">
/// <item>Latin script: English stop words are removed, other words are stemmed. Identifiers (<c>create_publisher</c>, <c>rclpy.spin</c>,
/// <c>JointState</c>, <c>ros2</c>) yield themselves and their parts. Words with an apostrophe (<c>Broncos'u</c>, <c>l'équilibre</c>) yield the
/// parts that can stand alone.</item>
/// <item>Command-line options (<c>--no-cache</c>, <c>-x</c>): themselves and, in a passage, their words.</item>
/// <item>Other scripts with spaces: the word, and its character 4-grams under <see cref="GramPrefix"/>.</item>
/// <item>Turkish and words in Arabic script: also what <see cref="LightStemmer"/> leaves of the word, under <see cref="StemPrefix"/>.</item>
/// <item>Scripts without spaces: bigrams, or 4-grams where the script is an alphabet (Thai).</item>
/// </list>
/// </summary>
internal static partial class TextAnalyzer
{
    /// <summary>Change it whenever the same text gives other terms, so that all documents are indexed again.</summary>
    public const int Version = 5;

    /// <summary>The longest term in UTF-16 code units; longer ones are truncated.</summary>
    public const int MaxTermLength = 64;

    /// <summary>Marks a 4-gram. No word contains this character, so a 4-gram never equals a word.</summary>
    public const char GramPrefix = '~';

    /// <summary>Marks a stem that stands beside its word.</summary>
    public const char StemPrefix = '^';

    private const int GramLength = 4;

    private static readonly SearchValues<char> Stemmable = SearchValues.Create("abcdefghijklmnopqrstuvwxyz'");

    /// <summary>Of the languages of <see cref="Languages"/> only Turkish has these letters. Nearly every sentence of it has one.</summary>
    private static readonly SearchValues<char> TurkishLetters = SearchValues.Create("ıİğĞşŞ");

    /// <summary>The most marks per letter in the Stream-Safe Text Format (UAX #15, 13). More marks only make normalization slow.</summary>
    private const int MaxMarks = 30;

    /// <summary>A part of a word with an apostrophe must be longer than this to count: <c>l'</c>, <c>d'</c> and <c>qu'</c> are articles and pronouns.</summary>
    private const int ShortPart = 2;

    /// <summary>A part after the first must be longer than this, because most are endings: <c>Broncos'un</c>, <c>Türkiye'nin</c>.</summary>
    private const int ShortEnding = 4;

    public static AnalyzedText Analyze(string text) => new Analysis(Normalize(text), isQuestion: false, keepStopWords: false).Run();

    /// <summary>Keeps stop words if the question has no other words.</summary>
    public static AnalyzedText AnalyzeQuery(string text)
    {
        var normalized = Normalize(text);
        var terms = new Analysis(StopPhrase().Replace(normalized, " "), isQuestion: true, keepStopWords: false).Run();
        return terms.Length > 0 ? terms : new Analysis(normalized, isQuestion: true, keepStopWords: true).Run();
    }

    /// <summary>The words of a question with their terms. Stop words are kept if there are no other words.</summary>
    public static IReadOnlyList<AnalyzedWord> AnalyzeWords(string text)
    {
        var normalized = Normalize(text);
        var words = new List<AnalyzedWord>();
        if (new Analysis(StopPhrase().Replace(normalized, " "), isQuestion: true, keepStopWords: false, words).Run().Length == 0)
            new Analysis(normalized, isQuestion: true, keepStopWords: true, words).Run();
        return words;
    }

    /// <summary>The grams of a run, which the caller must have folded.</summary>
    public static IEnumerable<string> GramsOfRun(string run) => Grams(run, GramLengthOfRun(run), prefix: null);

    /// <summary>Lower-case words, separated by single spaces: the same for Markdown and for the page that it renders to.</summary>
    public static string Fold(string text)
    {
        var normalized = Normalize(text);
        var folded = new StringBuilder(normalized.Length);
        foreach (var segment in WordSegmenter.Segments(normalized))
        {
            if (folded.Length > 0)
                folded.Append(' ');
            folded.Append(FoldLetters(normalized.AsSpan(segment.Start, segment.Length)));
        }

        return folded.ToString();
    }

    /// <summary>The text with other words in place of some; the function gets a word folded, and returns null to keep it. Identifiers, options,
    /// acronyms and numbers are not words, and neither are runs of a script without spaces.</summary>
    public static string ReplaceWords(string text, Func<string, string?> replacement)
    {
        var normalized = Normalize(text);
        var hasLowerCase = normalized.Any(char.IsLower);
        var replaced = new StringBuilder(normalized.Length);
        var end = 0;
        foreach (var segment in WordSegmenter.Segments(normalized))
        {
            var word = normalized.AsSpan(segment.Start, segment.Length);
            if (word.IndexOfAny('\'', '‘', '’') is > ShortPart and var mark)
                word = word[..mark];
            if (segment.Kind == SegmentKind.Run || !IsPlain(word, hasLowerCase) || (segment.Start > 0 && normalized[segment.Start - 1] == '-')
                || replacement(FoldLetters(word)) is not { } other)
                continue;
            replaced.Append(normalized, end, segment.Start - end).Append(other);
            end = segment.Start + word.Length;
        }

        return replaced.Append(normalized, end, normalized.Length - end).ToString();
    }

    /// <summary>The term of a folded word of letters: the same as in a passage.</summary>
    public static string TermOf(string word) => word.AsSpan().ContainsAnyExcept(Stemmable) ? word : EnglishStemmer.Stem(word);

    /// <summary>True for a word or a part of it, as opposed to what is derived from it.</summary>
    public static bool IsWord(string term) => term[0] is not (GramPrefix or StemPrefix);

    /// <summary>The term of a folded word's stem; null if the word's language has none.</summary>
    public static string? StemTermOf(string word, bool isTurkish) =>
        (LightStemmer.OfArabicScript(word) ?? (isTurkish ? LightStemmer.OfTurkish(word) : null)) is { } stem ? StemPrefix + stem : null;

    /// <summary>Whether a text is Turkish, as far as its letters tell.</summary>
    public static bool HasTurkishLetters(string text) => text.AsSpan().ContainsAny(TurkishLetters);

    private static bool IsPlain(ReadOnlySpan<char> word, bool hasLowerCase)
    {
        for (var i = 0; i < word.Length; i++)
            if (!char.IsLetter(word[i]) || (i > 0 && hasLowerCase && char.IsUpper(word[i])))
                return false;
        return true;
    }

    /// <summary>NFKC. Replaces what .NET's normalization rejects (lone surrogates, U+FFFE), and drops excessive marks.</summary>
    private static string Normalize(string text)
    {
        if (Ascii.IsValid(text))
            return text;

        var clean = new StringBuilder(text.Length);
        var marks = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            marks = Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark ? marks + 1 : 0;
            if (marks <= MaxMarks)
                clean.Append(rune.Value == 0xFFFE ? Rune.ReplacementChar : rune);
        }

        return clean.ToString().Normalize(NormalizationForm.FormKC);
    }

    /// <summary>Lower case, digits as 0 to 9, one spelling per Arabic letter, no invisible characters.</summary>
    private static string FoldLetters(ReadOnlySpan<char> word)
    {
        if (Ascii.IsValid(word))
            return string.Create(word.Length, word, (lower, letters) => letters.ToLowerInvariant(lower));

        var folded = new StringBuilder(word.Length);
        foreach (var rune in word.EnumerateRunes())
        {
            switch (Rune.GetUnicodeCategory(rune))
            {
                case UnicodeCategory.Format:
                    break;
                case UnicodeCategory.NonSpacingMark when rune.Value is (>= 0x610 and <= 0x61A) or (>= 0x64B and <= 0x65F) or 0x670 or (>= 0x6D6 and <= 0x6ED):
                    break;
                case UnicodeCategory.DecimalDigitNumber:
                    folded.Append((char)('0' + (int)Rune.GetNumericValue(rune)));
                    break;
                default:
                    if (FoldLetter(rune) is { } letter)
                        folded.Append(letter);
                    break;
            }
        }

        return folded.ToString();
    }

    // Arabic, Persian and Urdu keyboards produce different code points for the same letter.
    private static Rune? FoldLetter(Rune rune) => rune.Value switch
    {
        0x640 => null, // tatweel only stretches
        0x64A or 0x649 => new('ی'),
        0x643 => new('ک'),
        0x622 or 0x623 or 0x625 or 0x671 => new('ا'),
        0x629 or 0x6C1 or 0x6C2 or 0x6C3 or 0x6D5 => new('ه'),
        0x2018 or 0x2019 => new('\''),
        // Turkish has two letters i, and only half of their capitals tell which.
        0x130 or 0x131 => new('i'),
        _ => Rune.ToLowerInvariant(rune),
    };

    // Not inside a word (no-cache) and not a line of dashes.
    [GeneratedRegex(@"(?<![\p{L}\p{N}_-])--?[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex CommandOption();

    // "What does ZMP stand for?" says nothing about standing.
    [GeneratedRegex(@"\b(?:(?:stands?|stood|short)\s+for|refers?\s+to)(?=\W*$)|\bfull\s+form\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex StopPhrase();

    // An alphabet has too few letters for bigrams to tell one text from another: Thai, Lao, Myanmar and Khmer.
    private static int GramLengthOfRun(string run) =>
        run.Length > 0 && run[0] is (>= '\u0E00' and <= '\u0EFF') or (>= '\u1000' and <= '\u109F') or (>= '\u1780' and <= '\u17FF') ? GramLength : 2;

    private static IEnumerable<string> Grams(string folded, int length, char? prefix)
    {
        var runes = folded.EnumerateRunes().ToArray();
        // A word this short is its own gram. If there is a prefix, the word itself is already a term.
        if (runes.Length <= length)
            return prefix is null && runes.Length > 0 ? [folded] : [];
        return Enumerable.Range(0, runes.Length - length + 1).Select(i => $"{prefix}{string.Concat(runes[i..(i + length)])}");
    }

    /// <param name="words">Receives the words, if the caller wants them.</param>
    private sealed class Analysis(string text, bool isQuestion, bool keepStopWords, List<AnalyzedWord>? words = null)
    {
        // In text without lower case, capitals do not mark an acronym.
        private readonly bool _hasLowerCase = text.Any(char.IsLower);
        // A question may be too short for such a letter. In a passage a few more or fewer beginnings do no harm.
        private readonly bool _isTurkish = HasTurkishLetters(text) || (isQuestion && Languages.Of(text) == Languages.Turkish);
        private readonly Dictionary<string, int> _frequencies = [];
        private readonly List<string> _termsOfWord = [];
        private int _length;

        public AnalyzedText Run()
        {
            var end = 0;
            var option = text.Contains('-') ? CommandOption().Match(text) : Match.Empty;
            // "-ROS 2 nodes" was pasted from a list; it is no option.
            if (isQuestion && option is { Success: true, Index: 0, Length: > 2 } && text[1] != '-')
                option = option.NextMatch();
            foreach (var segment in WordSegmenter.Segments(text))
            {
                for (; option.Success && option.Index < segment.Start; option = option.NextMatch())
                {
                    Add(option.Value.ToLowerInvariant());
                    EndWord(option.Value.ToLowerInvariant(), isRun: false);
                    end = option.Index + option.Length;
                }

                // A question about --no-cache is not about a cache, but a question about a cache may be about --no-cache.
                if (isQuestion && segment.Start < end)
                    continue;
                var word = text.AsSpan(segment.Start, segment.Length);
                if (segment.Kind == SegmentKind.Run)
                    AddAll(GramsOfRun(FoldLetters(word)));
                else
                    AddWord(word);
                EndWord(word, segment.Kind == SegmentKind.Run);
            }

            return new(_frequencies, _length);
        }

        private void EndWord(ReadOnlySpan<char> word, bool isRun)
        {
            if (_termsOfWord.Count > 0)
                words?.Add(new(FoldLetters(word), isRun, [.. _termsOfWord.Distinct()]));
            _termsOfWord.Clear();
        }

        /// <summary>Splits a word of mixed scripts, such as a Latin name with an Urdu suffix.</summary>
        private void AddWord(ReadOnlySpan<char> word)
        {
            if (Ascii.IsValid(word))
            {
                AddLatin(word);
                return;
            }

            var start = 0;
            bool? isLatin = null;
            for (var i = 0; i < word.Length;)
            {
                Rune.DecodeFromUtf16(word[i..], out var rune, out var width);
                bool? here = Rune.IsLetter(rune) ? IsLatin(rune.Value) : null;
                if (here is not null && isLatin is not null && here != isLatin)
                {
                    AddPart(word[start..i], isLatin.Value);
                    start = i;
                }

                isLatin = here ?? isLatin;
                i += width;
            }

            AddPart(word[start..], isLatin ?? true);
        }

        private void AddPart(ReadOnlySpan<char> word, bool isLatin)
        {
            if (isLatin)
            {
                AddLatin(word);
                return;
            }

            var folded = FoldLetters(word).Trim('_', '.', ':', '\'');
            if (folded.Length == 0)
                return;
            Add(folded);
            AddStem(folded);
            AddAll(Grams($"_{folded}_", GramLength, GramPrefix));
        }

        private void AddLatin(ReadOnlySpan<char> word)
        {
            // Markdown's _emphasis_ is not an identifier.
            word = word.Trim('_');
            if (word.IndexOfAny('\'', '‘', '’') >= 0)
            {
                AddWithApostrophe(word);
                return;
            }

            // IMUs
            if (word is [.. var acronym, 's'] && acronym.Length > 1 && !acronym.ContainsAnyExceptInRange('A', 'Z'))
                word = acronym;
            Span<Range> parts = stackalloc Range[2];
            var isCompound = NextPart(word, 0, parts) < word.Length || parts[0].GetOffsetAndLength(word.Length).Length < word.Length;
            if (!isCompound)
            {
                if (AddPlain(word))
                    AddStem(FoldLetters(word));
                return;
            }

            var folded = FoldLetters(word);
            if (!word.ContainsAnyExceptInRange('0', '9') || IsNumber(word))
            {
                Add(folded);
                return;
            }

            // Readers also type JointState as jointstate, so an identifier without separators is stemmed like a word.
            Add(folded.AsSpan().ContainsAny('_', '.', ':') ? folded : EnglishStemmer.Stem(folded));
            for (var i = 0; i < word.Length;)
            {
                i = NextPart(word, i, parts);
                var part = word[parts[0]];
                if (part.Length > 0)
                    AddPlain(part);
            }
        }

        private void AddWithApostrophe(ReadOnlySpan<char> word)
        {
            if (!keepStopWords && StopWords.Contain(FoldLetters(word)))
                return;

            var isFirst = true;
            var isShort = true;
            foreach (var range in word.SplitAny('\'', '‘', '’'))
            {
                var part = word[range];
                if (part.Length > (isFirst || isShort ? ShortPart : ShortEnding))
                {
                    AddLatin(part);
                    isShort = false;
                }

                isFirst = false;
            }
        }

        /// <returns>False for a stop word.</returns>
        private bool AddPlain(ReadOnlySpan<char> word)
        {
            var folded = FoldLetters(word);
            var isAcronym = _hasLowerCase && word.Length > 1 && !word.ContainsAnyExceptInRange('A', 'Z');
            // CAN is a bus; can is a stop word.
            if (folded.Length == 0 || (!keepStopWords && !isAcronym && StopWords.Contain(folded)))
                return false;
            Add(TermOf(folded));
            return true;
        }

        private void AddStem(string folded)
        {
            if (StemTermOf(folded, _isTurkish) is { } stem)
                Add(stem);
        }

        private void AddAll(IEnumerable<string> terms)
        {
            foreach (var term in terms)
                Add(term);
        }

        private void Add(string term)
        {
            if (term.Length == 0)
                return;
            if (term.Length > MaxTermLength)
                term = term[..(char.IsHighSurrogate(term[MaxTermLength - 1]) ? MaxTermLength - 1 : MaxTermLength)];
            _frequencies[term] = _frequencies.GetValueOrDefault(term) + 1;
            if (words is not null)
                _termsOfWord.Add(term);
            if (IsWord(term))
                _length++;
        }

        /// <summary>Sets <paramref name="part"/> to the identifier's part at <paramref name="start"/>; returns where the next part may start.</summary>
        private static int NextPart(ReadOnlySpan<char> word, int start, Span<Range> part)
        {
            while (start < word.Length && IsJoint(word[start]))
                start++;
            var end = start;
            while (end < word.Length && !IsJoint(word[end]) && (end == start || !IsBoundary(word, end)))
                end++;
            part[0] = start..end;
            return end;
        }

        private static bool IsJoint(char c) => c is '_' or '.' or ':' or ',' or ';' or '\u00B7' || char.GetUnicodeCategory(c) == UnicodeCategory.ConnectorPunctuation;

        // A part begins at the capital of jointState, at the P of URDFParser, and between letters and digits (ros2, 3d).
        private static bool IsBoundary(ReadOnlySpan<char> word, int i)
        {
            var (before, here) = (word[i - 1], word[i]);
            return (char.IsLower(before) && char.IsUpper(here))
                || (char.IsUpper(before) && char.IsUpper(here) && i + 1 < word.Length && char.IsLower(word[i + 1]))
                || (char.IsDigit(before) && char.IsLetter(here))
                || (char.IsLetter(before) && char.IsDigit(here));
        }

        private static bool IsNumber(ReadOnlySpan<char> word)
        {
            foreach (var c in word)
                if (!char.IsDigit(c) && c is not ('.' or ',' or ';'))
                    return false;
            return true;
        }

        private static bool IsLatin(int c) => c is
            (>= 'A' and <= 'Z') or (>= 'a' and <= 'z') or 0xAA or 0xBA or (>= 0xC0 and <= 0x24F) or (>= 0x250 and <= 0x2AF)
            or (>= 0x1D00 and <= 0x1DBF) or (>= 0x1E00 and <= 0x1EFF) or (>= 0x2C60 and <= 0x2C7F) or (>= 0xA720 and <= 0xA7FF) or (>= 0xAB30 and <= 0xAB6F);
    }
}
