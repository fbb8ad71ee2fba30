namespace ChatBackend.Features.Translate.Documents;

/// <summary>Finds the segments in a block: its prose between the tags that divide it, without what only surrounds it.</summary>
internal static class SegmentFinder
{
    public static IEnumerable<Segment> Find(PageSource source, ProseBlock block, int number) => Runs(block.Nodes).Select(run =>
    {
        var (start, end) = (run[0].Start, run[^1].End);

        return new Segment(0, number, block.Kind, SegmentText.Write(run), source.Line(start), source.Line(end))
        {
            Start = start,
            End = end,
            Nodes = run,
            BeginsBlock = block.BeginsLine,
        };
    });

    private static IEnumerable<IReadOnlyList<PageNode>> Runs(IReadOnlyList<PageNode> nodes)
    {
        var run = new List<PageNode>();
        foreach (var node in nodes)
        {
            if (!IsBoundary(node))
            {
                run.Add(node);
                continue;
            }

            foreach (var part in Parts(run))
                yield return part;
            foreach (var part in node is PairNode pair ? Runs(pair.Children) : [])
                yield return part;
            run.Clear();
        }

        foreach (var part in Parts(run))
            yield return part;
    }

    /// <summary>The run itself; or, where it has words only in links and emphases, the texts of these, which then keep their order.</summary>
    private static IEnumerable<IReadOnlyList<PageNode>> Parts(List<PageNode> run)
    {
        var trimmed = Trim(run);
        if (trimmed.Any(node => node is TextNode text && HasLetters(text.Text)))
            return [trimmed];

        return trimmed.OfType<PairNode>().SelectMany(pair => pair.Closing is null ? Runs(pair.Children) : SegmentText.HasWords([pair]) ? [[pair]] : []);
    }

    private static bool IsBoundary(PageNode node) => node switch
    {
        OpaqueNode { Kind: OpaqueKind.Boundary } => true,
        PairNode { Kind: PairKind.Block } => true,
        PairNode pair => pair.Children.Any(IsBoundary),
        _ => false,
    };

    private static List<PageNode> Trim(List<PageNode> run)
    {
        var first = run.FindIndex(IsContent);
        if (first < 0)
            return [];

        var trimmed = run[first..(run.FindLastIndex(IsContent) + 1)];
        if (trimmed[0] is TextNode begin)
            trimmed[0] = begin.Trim(atStart: true, atEnd: false);
        if (trimmed[^1] is TextNode end)
            trimmed[^1] = end.Trim(atStart: false, atEnd: true);

        return trimmed;
    }

    private static bool IsContent(PageNode node) => node switch
    {
        TextNode text => !string.IsNullOrWhiteSpace(text.Text),
        OpaqueNode { Kind: OpaqueKind.Comment or OpaqueKind.LineBreak } => false,
        _ => true,
    };

    private static bool HasLetters(string text) => text.Any(char.IsLetter);
}
