using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ChatBackend.Bench.Cost;

/// <summary>A book of made-up prose: the words of the sample book as often as they are there, and rare words of its own. A section has about 100 words.</summary>
internal sealed partial class GeneratedBook
{
    /// <summary>The key for the upload.</summary>
    public const string Key = "bench";

    private const int Sections = 15;

    private readonly string[] _words;
    private readonly Random _random = new(1);
    private readonly List<string> _headings = [];
    private readonly List<string> _pages = [];

    public GeneratedBook(int pages)
    {
        _words = [.. Directory.EnumerateFiles(Path.Combine(Service.FindRoot(), "sample-book"), "*.md*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal).SelectMany(file => Word().Matches(File.ReadAllText(file)).Select(m => m.Value.ToLowerInvariant()))];
        for (var page = 0; page < pages; page++)
            _pages.Add(Page(page));
    }

    /// <summary>A question about one of its sections.</summary>
    public string Question(Random random) => $"How does {_headings[random.Next(_headings.Count)].ToLowerInvariant()} work?";

    /// <summary>Replaces the book in the service's index.</summary>
    /// <returns>The number of passages.</returns>
    public async Task<int> UploadAsync(HttpClient client)
    {
        using var body = new ByteArrayContent(Zip()) { Headers = { ContentType = new MediaTypeHeaderValue("application/zip") } };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/ingest?prune=true") { Content = body, Headers = { { "X-API-Key", Key } } };
        using var posted = (await client.SendAsync(request)).EnsureSuccessStatusCode();
        while (true)
        {
            using var asked = new HttpRequestMessage(HttpMethod.Get, posted.Headers.Location) { Headers = { { "X-API-Key", Key } } };
            using var answer = await client.SendAsync(asked);
            var job = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
            if (job.GetProperty("ended_at").ValueKind is not JsonValueKind.Null)
            {
                return job.GetProperty("state").GetString() == "completed"
                    ? job.GetProperty("report").GetProperty("passages").GetInt32()
                    : throw new InvalidOperationException($"The book was not ingested: {job}");
            }

            await Task.Delay(100);
        }
    }

    private byte[] Zip()
    {
        var zip = new MemoryStream();
        using (var archive = new ZipArchive(zip, ZipArchiveMode.Create, leaveOpen: true))
        {
            for (var page = 0; page < _pages.Count; page++)
            {
                using var entry = archive.CreateEntry($"docs/part-{page / 50:00}/chapter-{page:0000}.md", CompressionLevel.Fastest).Open();
                entry.Write(Encoding.UTF8.GetBytes(_pages[page]));
            }
        }

        return zip.ToArray();
    }

    private string Page(int number)
    {
        var text = new StringBuilder($"---\ntitle: Chapter {number + 1}, {RareWord()}\n---\n\n");
        for (var section = 0; section < Sections; section++)
        {
            var heading = $"{Capital(LongWord())} {LongWord()} of the {RareWord()}";
            _headings.Add(heading);
            text.Append($"## {heading}\n\n");
            for (var sentence = 0; sentence < 7; sentence++)
            {
                text.Append(Capital(_words[_random.Next(_words.Length)]));
                for (var word = _random.Next(8, 20); word > 0; word--)
                    text.Append(' ').Append(_random.Next(12) == 0 ? RareWord() : _words[_random.Next(_words.Length)]);
                text.Append(". ");
            }

            text.Append("\n\n");
        }

        return text.ToString();
    }

    private string LongWord()
    {
        string word;
        do
            word = _words[_random.Next(_words.Length)];
        while (word.Length < 6);
        return word;
    }

    /// <summary>One of 30,000, the first ones more often.</summary>
    private string RareWord()
    {
        string[] syllables = ["bar", "con", "dri", "fel", "gor", "han", "jin", "kel", "lum", "mor", "nov", "pra", "quo", "ris", "sta", "tur", "vel", "wex", "yor", "zan"];
        var number = (int)(30_000 * Math.Pow(_random.NextDouble(), 3));
        return syllables[number % 20] + syllables[number / 20 % 20] + syllables[number / 400 % 20] + (number / 8_000 is > 0 and var more ? syllables[more] : "");
    }

    private static string Capital(string word) => char.ToUpperInvariant(word[0]) + word[1..];

    [GeneratedRegex("[A-Za-z]{2,}", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Word();
}
