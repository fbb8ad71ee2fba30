namespace ChatBackend.Features.Translate.Translating;

/// <summary>Language tags (BCP 47) of a language, perhaps with a script and a region, such as <c>ur</c>, <c>zh-Hant</c> or <c>pt-BR</c>.</summary>
/// <remarks>The lists are here because .NET knows as many languages as the machine's ICU has, and accepts every tag that is well formed. A tag is
/// part of the prompt, so nothing else may be in it.</remarks>
internal static class LanguageTag
{
    /// <summary>The text has no words that would tell, or the model did not know (ISO 639-2).</summary>
    public const string Unknown = "und";

    /// <summary>ISO 639-1, and languages without a code of two letters that many people write.</summary>
    private static readonly HashSet<string> Known = [.. (
        "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy " +
        "ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt " +
        "lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn " +
        "so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu " +
        "arz bal bho brh ceb ckb cmn fil glk gsw haw hil hmn ilo khw lrc mai mzn nqo pnb skr syr tok war yue").Split(' ')];

    private static readonly HashSet<string> Scripts = [.. (
        "Adlm Arab Aran Armn Beng Bopo Cans Cher Cyrl Deva Ethi Geor Grek Gujr Guru Hang Hans Hant Hebr Hira Jpan Kana Khmr Knda Kore Laoo Latn Mlym Mong " +
        "Mtei Mymr Nkoo Olck Orya Rohg Sinh Syrc Taml Telu Tfng Thaa Thai Tibt Yiii").Split(' ')];

    /// <summary>The tag in its usual spelling (<c>UR-arab-pk</c> is <c>ur-Arab-PK</c>); null for what is none, or for an unknown language.</summary>
    public static string? Parse(string? tag)
    {
        if (tag is null || tag.Length > 16 || !tag.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'))
            return null;

        var parts = tag.Split('-');
        var language = parts[0].ToLowerInvariant();
        if (!Known.Contains(language))
            return null;

        var rest = parts.AsSpan(1);
        if (rest.Length > 0 && rest[0].Length == 4)
        {
            var script = char.ToUpperInvariant(rest[0][0]) + rest[0][1..].ToLowerInvariant();
            if (!Scripts.Contains(script))
                return null;

            language += $"-{script}";
            rest = rest[1..];
        }

        return rest switch
        {
            [] => language,
            [{ Length: 2 } region] when region.All(char.IsAsciiLetter) => $"{language}-{region.ToUpperInvariant()}",
            [{ Length: 3 } region] when region.All(char.IsAsciiDigit) => $"{language}-{region}",
            _ => null,
        };
    }

    /// <summary>True if text in the one language need not be translated to the other: they have the same language and script, and not two regions.</summary>
    /// <param name="source">As <see cref="Parse"/> gives it.</param>
    /// <param name="target">As <see cref="Parse"/> gives it.</param>
    public static bool AreSame(string source, string target)
    {
        var (one, other) = (source.Split('-'), target.Split('-'));

        return one[0] == other[0] && Script(one) == Script(other) && (Region(one) is not { } region || Region(other) is not { } second || region == second);

        static string? Script(string[] parts) => Array.Find(parts[1..], part => part.Length == 4);

        static string? Region(string[] parts) => Array.Find(parts[1..], part => part.Length is 2 or 3);
    }
}
