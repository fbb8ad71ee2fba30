using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Features.Search;

/// <summary>The book's headings in memory, so that each key that a reader presses costs no query. A list older than a minute is
/// read again while it is used, and only while somebody types: an idle service lets its database sleep.</summary>
internal sealed class HeadingList(IPassageIndex index, TimeProvider time, ILogger<HeadingList> log)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private Task<Entry[]>? _reading;
    private Entry[]? _entries;
    private DateTimeOffset _readAt;

    /// <summary>The headings that hold every word of the query or its beginning, where at least one is in the heading itself.</summary>
    public async Task<IReadOnlyList<PassageHeading>> FindAsync(string query, int most, CancellationToken cancellationToken)
    {
        var entries = Current() ?? await Read().WaitAsync(cancellationToken);
        var folded = TextAnalyzer.Fold(query);
        var words = folded.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length == 0 ? [] :
        [
            .. entries.Select(entry => (entry.Heading, Rank: entry.RankOf(words, folded)))
                .Where(found => found.Rank > 0)
                .OrderByDescending(found => found.Rank)
                .ThenBy(found => found.Heading.Heading.Length)
                .Take(most)
                .Select(found => found.Heading),
        ];
    }

    // An empty list is not kept: the first ingest is about to fill it.
    private Entry[]? Current()
    {
        if (_entries is not { Length: > 0 })
            return null;
        if (time.GetUtcNow() - _readAt > Fresh)
            _ = Read();
        return _entries;
    }

    private Task<Entry[]> Read()
    {
        lock (_lock)
        {
            if (_reading is null or { IsCompleted: true })
                _reading = ReadAsync();
            return _reading;
        }
    }

    // Not canceled with a request: other requests wait for the same list.
    private async Task<Entry[]> ReadAsync()
    {
        try
        {
            var headings = await index.GetHeadingsAsync(CancellationToken.None);
            _entries = [.. headings.Select(heading => new Entry(heading))];
            return _entries;
        }
        catch (Exception e) when (_entries is not null)
        {
            log.LogWarning(e, "The headings cannot be read again. The suggestions are those of {ReadAt:O}.", _readAt);
            return _entries;
        }
        finally
        {
            _readAt = time.GetUtcNow();
        }
    }

    private sealed class Entry(PassageHeading heading)
    {
        private readonly string _text = TextAnalyzer.Fold(heading.Heading);
        private readonly string _title = TextAnalyzer.Fold(heading.Title);

        public PassageHeading Heading => heading;

        /// <summary>0 if it does not match; 3 if the heading begins with the query, 2 if it holds all of it, 1 if the title holds the rest.</summary>
        public int RankOf(string[] words, string query)
        {
            var (isAnyInHeading, areAllInHeading) = (false, true);
            foreach (var word in words)
            {
                if (Holds(_text, word))
                    isAnyInHeading = true;
                else if (Holds(_title, word))
                    areAllInHeading = false;
                else
                    return 0;
            }

            return !isAnyInHeading ? 0 : !areAllInHeading ? 1 : _text.StartsWith(query, StringComparison.Ordinal) ? 3 : 2;
        }

        /// <summary>As the beginning of a word; anywhere for a script without spaces, where the query's word is one run.</summary>
        private static bool Holds(string text, string word)
        {
            for (var at = text.IndexOf(word, StringComparison.Ordinal); at >= 0; at = text.IndexOf(word, at + 1, StringComparison.Ordinal))
            {
                if (at == 0 || text[at - 1] == ' ' || WordSegmenter.IsWithoutSpaces(text[at]))
                    return true;
            }

            return false;
        }
    }
}
