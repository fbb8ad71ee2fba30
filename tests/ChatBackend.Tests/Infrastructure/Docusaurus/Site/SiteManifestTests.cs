using ChatBackend.Infrastructure.Docusaurus.Site;

namespace ChatBackend.Tests.Infrastructure.Docusaurus.Site;

public sealed class SiteManifestTests : IDisposable
{
    private readonly DirectoryInfo _build = Directory.CreateTempSubdirectory("build-");

    public void Dispose() => _build.Delete(recursive: true);

    [Theory]
    [InlineData("/base/", "/")]
    [InlineData("/base/", "")]
    [InlineData("/", "/")]
    [InlineData("/", "")]
    public async Task The_start_page_and_a_page_with_the_canonical_address_of_another_have_the_sites_base(string basePath, string slash)
    {
        Write("index.html", basePath);
        Write("docs/a/index.html", $"{basePath}docs/a{slash}");
        Write("docs/copy/index.html", "/original/");

        var manifest = await SiteManifest.ReadAsync(_build.FullName, TestContext.Current.CancellationToken);

        Assert.Equal(basePath, manifest.BasePath);
        Assert.Equal([basePath, $"{basePath}docs/a{slash}", $"{basePath}docs/copy{slash}"], manifest.Pages.OrderBy(page => page.Route, StringComparer.Ordinal).Select(page => page.Path));
    }

    private void Write(string file, string canonical)
    {
        var path = Path.Combine(_build.FullName, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, $"<html><head><link rel=canonical href='https://book.example{canonical}'></head><body><div id=__docusaurus></div>");
    }
}
