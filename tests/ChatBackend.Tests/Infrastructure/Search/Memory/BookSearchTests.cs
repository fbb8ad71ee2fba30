using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Memory;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Tests.Infrastructure.Search.Memory;

/// <summary>The index in memory, compared with the formula of BM25 over all passages.</summary>
public sealed class BookSearchTests
{
    private static readonly string[] Words =
    [
        .. Enumerable.Range(0, 150).Select(i => $"robot{(char)('a' + (i % 26))}{i}x"), .. Enumerable.Range(0, 60).Select(i => $"{(char)('a' + (i % 26))}ırmak{i}"),
        "محور", "المفصل", "توازن", "零力矩点", "支撑多边形", "จุดโมเมนต์ศูนย์", "create_publisher", "rclpy.spin", "JointState", "--no-cache", "the", "CAN",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Scores_equal_the_formulas_after_every_change_of_the_book(int seed)
    {
        var random = new Random(seed);
        var book = new SortedDictionary<int, Passage[]>();
        var ids = new Dictionary<int, Guid>();
        var index = BookIndex.None;

        for (var version = 0; version < 25; version++)
        {
            // The first version, and every tenth, changes so much that the small segment becomes part of the large one.
            var changed = Enumerable.Range(0, version % 10 == 0 ? 200 : random.Next(4)).Select(_ => random.Next(300)).Distinct().ToArray();
            var removed = version % 3 == 2 ? book.Keys.Where(_ => random.Next(20) == 0).Except(changed).ToArray() : [];
            foreach (var number in changed)
            {
                book[number] = Passage.Of(Document(number, random));
                ids.TryAdd(number, Guid.CreateVersion7());
            }

            foreach (var number in removed)
            {
                book.Remove(number);
                ids.Remove(number);
            }

            var builder = new SegmentBuilder();
            foreach (var number in changed)
                builder.Add(ids[number], $"/docs/{number}", PackedTerms.Pack(book[number]));
            index = index.With(new(version, ""), builder, removed.Length > 0 ? ids.Values.ToHashSet() : null);

            var passages = book.Values.SelectMany(p => p).ToDictionary(p => p.Id);
            Assert.Equal(passages.Count, index.PassageCount);
            for (var i = 0; i < 4; i++)
                AssertEqualsFormula(index, string.Join(' ', Enumerable.Range(0, random.Next(1, 6)).Select(_ => Word(random))), passages);
        }
    }

    [Fact]
    public void Pages_that_were_removed_take_no_memory()
    {
        var random = new Random(1);
        var ids = Enumerable.Range(0, 800).Select(_ => Guid.CreateVersion7()).ToArray();
        var builder = new SegmentBuilder();
        for (var number = 0; number < ids.Length; number++)
            builder.Add(ids[number], $"/docs/{number}", PackedTerms.Pack(Passage.Of(Document(number, random))));
        var index = BookIndex.None.With(new(0, ""), builder, null);
        Assert.True(index.PassageCount > 1_200);

        index = index.With(new(1, ""), new SegmentBuilder(), ids.Take(10).ToHashSet());

        Assert.InRange(index.PassageCount, 1, 100);
        Assert.Equal(index.PassageCount, index.OrdinalCount);
    }

    [Fact]
    public void A_passage_has_the_terms_that_its_text_would_give()
    {
        var passages = Passage.Of(new("a.md", "The Title", "/docs/a", "1",
        [
            new(0, ["Outer heading", "Inner"], "inner", "One sentence on CAN. ANOTHER ONE. create_publisher(x) — والثالثة هنا؟ 零力矩点。\n\n- an item\n- --no-cache"),
            new(1, [], null, ""), new(2, [], null, "…"), new(3, [], null, string.Join(' ', Enumerable.Repeat("repeat", 300))),
        ]));
        var builder = new SegmentBuilder();
        builder.Add(Guid.NewGuid(), "/docs/a", PackedTerms.Pack(passages));
        var index = BookIndex.None.With(new(0, ""), builder, null);

        for (var i = 0; i < passages.Length; i++)
        {
            Assert.Equal(passages[i].Id, index.IdOf(i));
            var known = index.WithTerms(new() { Id = default, DocumentPath = "", Position = 0, Title = "", HeadingPath = [""], Url = "", Text = "" }, i);
            Assert.Equal(passages[i].Terms.Length, known.Terms.Length);
            Assert.Equal(passages[i].Terms.Frequencies.ToArray(), [.. known.Terms.Frequencies]);
            Assert.All(passages[i].Terms.Frequencies, term => Assert.Equal(term.Value, known.Terms.Frequencies[term.Key]));
            Assert.All(known.Sentences.SelectMany(s => s.Frequencies.Keys.Select(term => s.Frequencies[term])), frequency => Assert.Equal(1, frequency));
            // The first is a term of other passages only.
            Assert.DoesNotContain(i == 0 ? "repeat" : "sentenc", known.Terms.Frequencies);
            Assert.DoesNotContain("nowhere", known.Terms.Frequencies);
            Assert.Equal(passages[i].HeadingTerms.Frequencies.Keys, known.HeadingTerms.Frequencies.Keys);
            Assert.Equal(passages[i].Sentences.Select(s => string.Join(' ', s.Frequencies.Keys)), known.Sentences.Select(s => string.Join(' ', s.Frequencies.Keys)));
        }
    }

    [Fact]
    public void Terms_keep_their_numbers_while_the_table_grows()
    {
        var table = new TermTable();
        string[] terms = [.. Enumerable.Range(0, 5_000).Select(i => i % 2 == 0 ? $"term{i}" : $"دراسة{i}"), "", new('界', TextAnalyzer.MaxTermLength)];
        foreach (var (term, number) in terms.Select((t, i) => (t, i)))
            Assert.Equal(number, table.Add(System.Text.Encoding.UTF8.GetBytes(term)));

        Assert.All(terms.Select((t, i) => (Term: t, Number: i)), t =>
        {
            Assert.Equal(t.Number, table.Find(t.Term));
            Assert.Equal(t.Term, table[t.Number]);
        });
        Assert.Equal(-1, table.Find("term1"));
        Assert.Equal(-1, table.Find(new('x', 10_000)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(16_383)]
    [InlineData(16_384)]
    [InlineData(int.MaxValue)]
    public void Numbers_are_read_as_they_were_written(int number)
    {
        var writer = new NumberWriter();
        writer.Add(number);
        writer.Add([1, 2]);
        writer.Add(7);

        var reader = new NumberReader(writer.Written);
        Assert.Equal(number, reader.Next());
        Assert.Equal([1, 2], reader.Take(2).ToArray());
        Assert.Equal(7, reader.Next());
        Assert.True(reader.IsAtEnd);
    }

    private static void AssertEqualsFormula(BookIndex index, string question, Dictionary<Guid, Passage> passages)
    {
        var terms = new SpelledQuestion(question).Terms;
        var scores = new Dictionary<Guid, double>();
        foreach (var term in terms)
        {
            var holding = passages.Values.Where(p => p.Terms.Frequencies.ContainsKey(term.Term)).ToArray();
            var rarity = Math.Log(1 + ((passages.Count - holding.Length + 0.5) / (holding.Length + 0.5)));
            foreach (var passage in holding)
            {
                double frequency = passage.Terms.Frequencies[term.Term];
                scores[passage.Id] = scores.GetValueOrDefault(passage.Id)
                    + (term.Weight * rarity * frequency * 2.2 / (frequency + (1.2 * (1 - 0.6 + (0.6 * passage.Terms.Length / 75)))));
            }
        }

        var query = new PassageQuery(question, 10);
        var search = BookSearch.Run(index, query, new(query.Text), null);
        var found = search.Choose([.. search.Ranked().Select(id => passages[id])]);

        // Passages with equal scores may be on either side of the end of the list, so the scores are compared.
        Assert.Equal(
            scores.Values.OrderDescending().Take(query.Candidates).Select(score => Math.Round(score, 6)),
            search.Ranked().Select(id => Math.Round(scores[id], 6)).OrderDescending());
        Assert.All(found, p => Assert.Equal(scores[p.Id], p.Score, 1e-6));
        Assert.Equal(found.Select(p => p.Score).OrderDescending(), found.Select(p => p.Score));
    }

    private static IndexedDocument Document(int number, Random random) => new($"{number}.md", $"Page{number}", $"/docs/{number}", "1",
    [
        .. Enumerable.Range(0, random.Next(12)).Select(i => new Chunk(
            i, [Word(random), $"unique{number}h{i}"], "a", string.Join(' ', Enumerable.Range(0, random.Next(40)).Select(w => w % 9 == 8 ? $"unique{number}w{i}." : Word(random))))),
    ]);

    /// <summary>A few words are much more frequent than others.</summary>
    private static string Word(Random random) => Words[(int)(Words.Length * Math.Pow(random.NextDouble(), 3))];
}
