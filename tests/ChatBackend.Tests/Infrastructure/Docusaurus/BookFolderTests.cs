using System.Diagnostics;
using System.Net.Sockets;
using ChatBackend.Infrastructure.Docusaurus;

namespace ChatBackend.Tests.Infrastructure.Docusaurus;

public sealed class BookFolderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("book").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Only_pages_that_are_published_are_found_in_a_stable_order()
    {
        foreach (var path in new[] { "book/b.md", "book/B/a.MDX", "book/a/2.md", "book/a/1.md", "book/_part.md", "book/_parts/x.md", "book/.git/x.md", "book/.x.md", "book/node_modules/p/x.md", "book/x.txt", "out/secret.md" })
            Write(path, "Text");
        File.CreateSymbolicLink(Path.Combine(_root, "book/inside.md"), Path.Combine(_root, "book/b.md"));
        File.CreateSymbolicLink(Path.Combine(_root, "book/outside.md"), Path.Combine(_root, "out/secret.md"));
        File.CreateSymbolicLink(Path.Combine(_root, "book/dangling.md"), Path.Combine(_root, "nothing.md"));
        Directory.CreateSymbolicLink(Path.Combine(_root, "book/loop"), Path.Combine(_root, "book"));

        Assert.Equal(["B/a.MDX", "a/1.md", "a/2.md", "b.md", "inside.md"], BookFolder.Find(Path.Combine(_root, "book") + "/").Pages);
    }

    [Fact]
    public async Task Files_that_are_not_pages_are_skipped_with_the_reason()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no mkfifo.");
        Write("book/a.md", "Text");
        Write("book/empty.md", "");
        Write("out/secret.md", "Text");
        using (var mkfifo = Process.Start("mkfifo", [Path.Combine(_root, "book/pipe.md")]))
            await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(_root, "book/socket.md")));
        foreach (var (link, target) in new[] { ("itself", "book/itself.md"), ("round", "book/and-round.md"), ("and-round", "book/round.md"), ("dangling", "nothing.md"), ("outside", "out/secret.md"), ("to-pipe", "book/pipe.md") })
            File.CreateSymbolicLink(Path.Combine(_root, $"book/{link}.md"), Path.Combine(_root, target));

        var found = BookFolder.Find(Path.Combine(_root, "book"));

        Assert.Equal(["a.md"], found.Pages);
        Assert.Equal(
            [
                ("and-round.md", "The link leads in a circle."), ("dangling.md", "The link leads nowhere."), ("empty.md", "It is empty, or not a regular file."),
                ("itself.md", "The link leads in a circle."), ("outside.md", "The link leads out of the folder."), ("pipe.md", "It is empty, or not a regular file."),
                ("round.md", "The link leads in a circle."), ("socket.md", "It is empty, or not a regular file."), ("to-pipe.md", "It is empty, or not a regular file."),
            ],
            found.Skipped);
    }

    [Fact]
    public void A_missing_folder_is_reported() =>
        Assert.Throws<DirectoryNotFoundException>(() => BookFolder.Find(Path.Combine(_root, "none")));

    [Fact]
    public async Task A_file_that_is_not_text_is_refused()
    {
        await File.WriteAllBytesAsync(Path.Combine(_root, "a.md"), [0x41, 0xC3, 0x28]);

        await Assert.ThrowsAsync<DocumentException>(() => BookFolder.ReadAsync(_root, "a.md", TestContext.Current.CancellationToken));
    }

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_root, path))!);
        File.WriteAllText(Path.Combine(_root, path), text);
    }
}
