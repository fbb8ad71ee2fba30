namespace ChatBackend.Tests.Conventions;

/// <summary>
/// What folders may use of each other, read from the compiled code. Nested and compiler-generated types count for the type
/// around them. The registration files, named <c>…Feature</c>, put the parts together and so may use everything.
/// </summary>
public sealed class FolderTests
{
    /// <summary>Past this many files a folder has more than one subject.</summary>
    private const int MaxFiles = 14;

    private static readonly string Tests = Path.Combine("tests", "ChatBackend.Tests");

    private static readonly (string From, string To, string Why)[] Uses =
    [.. (
        from type in typeof(Program).Assembly.GetTypes()
        let user = Outermost(type)
        where FolderOf(user) is not null
        from mentioned in MethodReader.TypesIn(type)
        let used = Outermost(mentioned)
        where used.Assembly == user.Assembly && FolderOf(used) is not null && FolderOf(used) != FolderOf(user)
        select (FolderOf(user)!, FolderOf(used)!, $"{user.Name} uses {used.Name}")).Distinct()];

    [Fact]
    public void Folders_do_not_use_each_other_in_circles()
    {
        var uses = Uses.Where(u => !u.Why.Contains("Feature uses ", StringComparison.Ordinal)).ToArray();

        Assert.Contains(uses, u => u is { From: "Infrastructure/Auth", To: "Infrastructure/Http/Problems" });
        AssertNone(Circles(uses));
    }

    [Fact]
    public void A_circle_is_found_wherever_it_begins() =>
        Assert.Equal(["a -> b: 1", "b -> c: 2", "c -> a: 3"], Circles([("a", "b", "1"), ("b", "c", "2"), ("c", "a", "3"), ("c", "d", "4"), ("e", "a", "5")]));

    [Fact]
    public void No_feature_uses_another()
    {
        Assert.Contains(Uses, u => u is { From: "Features/Audits", To: "Infrastructure/Database" });
        AssertNone(
            from use in Uses
            where use.From.StartsWith("Features/", StringComparison.Ordinal) && use.To.StartsWith("Features/", StringComparison.Ordinal)
            where use.From.Split('/')[1] != use.To.Split('/')[1]
            select $"{use.From} -> {use.To}: {use.Why}");
    }

    [Fact]
    public void No_folder_has_more_than_fourteen_files()
    {
        var folders = Folders("Features").Concat(Folders("Infrastructure")).Concat(Folders(Tests)).ToArray();

        Assert.Contains(folders, f => f.Key == Path.Combine("Features", "Audits"));
        Assert.Contains(folders, f => f.Key == Path.Combine(Tests, "Features", "Audits"));
        Assert.DoesNotContain(folders, f => f.Value > MaxFiles);
    }

    [Fact]
    public void Folders_of_tests_are_named_as_the_folders_they_test()
    {
        var tested = Folders("Features").Concat(Folders("Infrastructure")).Select(f => f.Key).ToArray();
        var tests = Folders(Tests).Select(f => Path.GetRelativePath(Tests, f.Key)).Except([".", "Conventions"]).ToArray();

        Assert.Contains(Path.Combine("Features", "Audits"), tests);
        Assert.Empty(tests.Except(tested));
    }

    private static IEnumerable<KeyValuePair<string, int>> Folders(string top) => Directory
        .GetFiles(Path.Combine(Repository.Root, top), "*.cs", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(Repository.Root, Path.GetDirectoryName(file)!))
        .Where(folder => !folder.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))
        .CountBy(folder => folder);

    private static void AssertNone(IEnumerable<string> faults)
    {
        var list = string.Join('\n', faults);
        Assert.True(list.Length == 0, list);
    }

    /// <summary>The uses that lie on a circle: their target leads back to where they come from.</summary>
    private static IEnumerable<string> Circles(IReadOnlyCollection<(string From, string To, string Why)> uses)
    {
        var next = uses.ToLookup(u => u.From, u => u.To);
        return from use in uses where Reaches(use.To, use.From) orderby use.From, use.To select $"{use.From} -> {use.To}: {use.Why}";

        bool Reaches(string start, string end)
        {
            var seen = new HashSet<string> { start };
            var open = new Queue<string>(seen);
            while (open.TryDequeue(out var folder))
            {
                if (folder == end)
                    return true;
                foreach (var neighbour in next[folder].Where(seen.Add))
                    open.Enqueue(neighbour);
            }

            return false;
        }
    }

    private static Type Outermost(Type type) => type.DeclaringType is { } around ? Outermost(around) : type;

    /// <summary>The folder that a type's namespace stands for; null for generated types and Program.</summary>
    private static string? FolderOf(Type type) =>
        type.Namespace is { } name && name.StartsWith("ChatBackend.", StringComparison.Ordinal) ? name["ChatBackend.".Length..].Replace('.', '/') : null;
}
