using System.Text;

namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>Numbers terms from 0 on. It is a hash table with open addressing over UTF-8 text in one array: 50,000 terms take 1.2 MB.</summary>
internal sealed class TermTable
{
    /// <summary>The most bytes of a term in UTF-8: three for each UTF-16 code unit.</summary>
    public const int MaxTermBytes = 3 * Words.TextAnalyzer.MaxTermLength;

    private NumberWriter _texts;
    private int[] _starts = new int[16];
    /// <summary>The number of a term plus 1; 0 is free. At most half of them are taken.</summary>
    private int[] _slots = new int[32];
    private string?[]? _strings;

    public int Count { get; private set; }

    /// <summary>A term as a string, which is made once: passages share their terms. Only for a table to which nothing is added any more.</summary>
    public string this[int term] => (_strings ??= new string[Count])[term] ??= Encoding.UTF8.GetString(TextOf(term));

    public ReadOnlySpan<byte> TextOf(int term) => _texts.Written[_starts[term]..(term + 1 < Count ? _starts[term + 1] : _texts.Count)];

    /// <summary>The number of a term; -1 if it is not there.</summary>
    public int Find(string term)
    {
        // Terms of questions are as long as those of passages.
        Span<byte> text = stackalloc byte[MaxTermBytes];
        return Encoding.UTF8.TryGetBytes(term, text, out var length) ? _slots[SlotOf(text[..length])] - 1 : -1;
    }

    /// <summary>The number of a term, which is added if it is not there.</summary>
    public int Add(ReadOnlySpan<byte> text)
    {
        var slot = SlotOf(text);
        if (_slots[slot] > 0)
            return _slots[slot] - 1;

        if (Count == _starts.Length)
        {
            Array.Resize(ref _starts, 2 * Count);
            _slots = new int[4 * Count];
            for (var term = 0; term < Count; term++)
                _slots[SlotOf(TextOf(term))] = term + 1;
            slot = SlotOf(text);
        }

        _starts[Count] = _texts.Count;
        _texts.Add(text);
        _slots[slot] = ++Count;
        return Count - 1;
    }

    /// <summary>The slot that holds the term, or the free one where it belongs.</summary>
    private int SlotOf(ReadOnlySpan<byte> text)
    {
        var hash = new HashCode();
        hash.AddBytes(text);
        for (var slot = hash.ToHashCode() & (_slots.Length - 1); ; slot = (slot + 1) & (_slots.Length - 1))
            if (_slots[slot] == 0 || TextOf(_slots[slot] - 1).SequenceEqual(text))
                return slot;
    }
}
