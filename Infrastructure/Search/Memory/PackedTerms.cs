using System.Text;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>
/// The terms of a document's passages as bytes, so that no text has to be cut into words when it is loaded or judged. All numbers are written by
/// <see cref="NumberWriter"/>:
/// <list type="bullet">
/// <item><see cref="Format"/>; the number of distinct terms; for each its length in bytes and its UTF-8;</item>
/// <item>the number of passages; for each, in order: its id (16 bytes); its length; the number of its distinct terms, and for each its place among
/// the document's and its frequency; the number of bytes that follow;</item>
/// <item>a list of the terms of its headings, the number of its sentences, and a list for each: how many, and their places among the passage's.</item>
/// </list>
/// </summary>
internal static class PackedTerms
{
    /// <summary>Change it with the format, and <see cref="TextAnalyzer.Version"/> with it, so that all documents are indexed again.</summary>
    public const int Format = 1;

    public static SearchException Later() => new(
        isUnavailable: true, "A later version of the service has indexed the book. This process cannot read it, and is to be replaced or the book ingested again.");

    /// <param name="passages">The passages of a document, in order.</param>
    public static byte[] Pack(IEnumerable<Passage> passages)
    {
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        var (header, body, count) = (new NumberWriter(), new NumberWriter(), 0);
        foreach (var passage in passages)
        {
            count++;
            body.Add(passage.Id.ToByteArray());
            body.Add(passage.Terms.Length);
            body.Add(passage.Terms.Frequencies.Count);
            var own = new Dictionary<string, int>(passage.Terms.Frequencies.Count, StringComparer.Ordinal);
            foreach (var (term, frequency) in passage.Terms.Frequencies)
            {
                own[term] = own.Count;
                places.TryAdd(term, places.Count);
                body.Add(places[term]);
                body.Add(frequency);
            }

            var parts = new NumberWriter();
            Add(ref parts, passage.HeadingTerms, own);
            parts.Add(passage.Sentences.Count);
            foreach (var sentence in passage.Sentences)
                Add(ref parts, sentence, own);
            body.Add(parts.Count);
            body.Add(parts.Written);
        }

        header.Add(Format);
        header.Add(places.Count);
        foreach (var term in places.Keys)
        {
            header.Add(Encoding.UTF8.GetByteCount(term));
            header.Add(Encoding.UTF8.GetBytes(term));
        }

        header.Add(count);
        return [.. header.Written, .. body.Written];
    }

    /// <summary>A sentence alone may have a term that it has not in its text (a stop word in capitals): that one is left out.</summary>
    private static void Add(ref NumberWriter parts, AnalyzedText text, Dictionary<string, int> own)
    {
        var held = text.Frequencies.Keys.Where(own.ContainsKey).ToArray();
        parts.Add(held.Length);
        foreach (var term in held)
            parts.Add(own[term]);
    }
}
