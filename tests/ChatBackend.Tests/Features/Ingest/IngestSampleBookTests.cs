using System.Diagnostics;
using ChatBackend.Features.Ingest;
using Microsoft.Extensions.Hosting.Internal;

namespace ChatBackend.Tests.Features.Ingest;

public sealed class IngestSampleBookTests : IDisposable
{
    private readonly HostingEnvironment _environment = new() { ContentRootPath = Directory.CreateTempSubdirectory("root").FullName };

    private string Intro => Path.Combine(_environment.ContentRootPath, "sample-book", "intro.md");

    public IngestSampleBookTests() => Directory.CreateDirectory(Path.GetDirectoryName(Intro)!);

    public void Dispose() => Directory.Delete(_environment.ContentRootPath, recursive: true);

    [Theory]
    [InlineData("---\ntitle: Robots at Work\n---\n# Start", "Robots at Work")]
    [InlineData("---\ntitle: [\n---\n", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void The_title_is_that_of_the_first_page(string? page, string? title)
    {
        if (page is not null)
            File.WriteAllText(Intro, page);

        Assert.Equal(title, IngestSampleBook.FindTitle(_environment));
    }

    [Fact]
    public async Task A_pipe_in_the_first_pages_place_has_no_title_and_is_not_waited_for()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no mkfifo.");
        using (var mkfifo = Process.Start("mkfifo", [Intro]))
            await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Null(await Task.Run(() => IngestSampleBook.FindTitle(_environment)).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken));
    }
}
