using System.IO.Compression;
using System.Net;
using System.Text;

namespace ChatBackend.Tests.Features.Widget;

public sealed class WidgetFeatureTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    private const int MostBytes = 25 * 1024;

    [Fact]
    public async Task The_script_names_its_version_first_and_is_small_over_the_wire()
    {
        var (response, body) = await GetAsync(app, "gzip");

        Assert.Equal("text/javascript; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        Assert.Equal(["gzip"], response.Content.Headers.ContentEncoding);
        Assert.Equal(["Accept-Encoding"], response.Headers.Vary);
        Assert.Equal("cross-origin", response.Headers.GetValues("Cross-Origin-Resource-Policy").Single());
        Assert.True(response.Headers.CacheControl is { Public: true, MaxAge: { } age } && age == TimeSpan.FromMinutes(5));
        TestContext.Current.TestOutputHelper!.WriteLine($"{body.Length} bytes over the wire");
        Assert.InRange(body.Length, 1, MostBytes);
        using var unzipped = new StreamReader(new GZipStream(new MemoryStream(body), CompressionMode.Decompress));
        var text = await unzipped.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Matches(@"^/\*! ChatBackend widget \d+\.\d+\.\d+-[0-9a-f]{8} \*/\n", text);
        Assert.Equal(text, Encoding.UTF8.GetString((await GetAsync(app, null)).Body));
        Assert.DoesNotContain("{{", text);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("identity", false)]
    [InlineData("gzip;q=0", false)]
    [InlineData("br, gzip;q=0.5", true)]
    [InlineData("*;q=0", false)]
    public async Task It_is_compressed_for_those_who_accept_that(string? accepted, bool isCompressed) =>
        Assert.Equal(isCompressed, (await GetAsync(app, accepted)).Response.Content.Headers.ContentEncoding.Contains("gzip"));

    [Theory]
    [InlineData(null)]
    [InlineData("gzip")]
    public async Task A_browser_that_has_this_version_gets_304(string? accepted)
    {
        var tag = (await GetAsync(app, accepted)).Response.Headers.ETag!.ToString();

        Assert.Equal(HttpStatusCode.NotModified, (await GetAsync(app, accepted, tag)).Response.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(app, accepted, "\"older\"")).Response.StatusCode);
    }

    [Fact]
    public async Task It_holds_the_books_title_and_questions_as_text_that_cannot_end_the_script_and_needs_no_database()
    {
        await using var unreachable = new ChatBackendApp
        {
            WaitsUntilStarted = false,
            ["DATABASE_URL"] = "postgres://nobody:secret@127.0.0.1:1/none",
            ["BOOK_TITLE"] = "Robots \"for\" {{book}} $& </script>",
            ["BOOK_QUESTIONS"] = "What is a node? | | Why?",
        };
        await unreachable.InitializeAsync();

        var (response, body) = await GetAsync(unreachable, null);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains("""const book = {"title":"Robots \u0022for\u0022 {{book}} $\u0026 \u003C/script\u003E","questions":["What is a node?","Why?"]}""", Encoding.UTF8.GetString(body));
    }

    private static async Task<(HttpResponseMessage Response, byte[] Body)> GetAsync(ChatBackendApp app, string? accepted, string? tag = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(app.Address, "widget.js"));
        if (accepted is not null)
            request.Headers.Add("Accept-Encoding", accepted);
        if (tag is not null)
            request.Headers.Add("If-None-Match", tag);
        var response = await app.Client.SendAsync(request, TestContext.Current.CancellationToken);
        return (response, await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }
}
