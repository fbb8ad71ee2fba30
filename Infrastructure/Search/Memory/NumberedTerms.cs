using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>The terms of a passage, or of a part of it, as their numbers in its segment. A search makes hundreds of these, and an answer keeps
/// some of them until it is written: dictionaries with texts would be ten times as large.</summary>
/// <param name="frequencies">Those of the numbers at the same places; null if each is 1.</param>
internal sealed class NumberedTerms(TermTable terms, int[] numbers, int[]? frequencies = null) : IReadOnlyDictionary<string, int>
{
    public int Count => numbers.Length;

    public IEnumerable<string> Keys => numbers.Select(number => terms[number]);

    public IEnumerable<int> Values => frequencies ?? Enumerable.Repeat(1, Count);

    public int this[string key] => TryGetValue(key, out var frequency) ? frequency : throw new KeyNotFoundException($"There is no term {key}.");

    public bool ContainsKey(string key) => PlaceOf(key) >= 0;

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out int value)
    {
        var place = PlaceOf(key);
        value = place < 0 ? 0 : frequencies?[place] ?? 1;
        return place >= 0;
    }

    public IEnumerator<KeyValuePair<string, int>> GetEnumerator() => Keys.Zip(Values, KeyValuePair.Create).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private int PlaceOf(string term) => terms.Find(term) is >= 0 and var number ? Array.IndexOf(numbers, number) : -1;
}
