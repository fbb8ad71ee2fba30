using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using ChatBackend.Infrastructure.Http;

namespace ChatBackend.Tests.Infrastructure.Http;

public sealed class RequestBodiesTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Theory]
    [InlineData("POST", "/chat", "gzip")]
    [InlineData("POST", "/audits", "br")]
    [InlineData("PATCH", "/audits/019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21", "gzip")]
    [InlineData("PUT", "/chat/messages/0f8fad5b-d9cb-469f-a165-70867728950e/feedback", "GZIP")]
    public async Task A_compressed_body_is_415_with_Accept_Encoding(string method, string path, string coding)
    {
        using var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write("""{"message":"What is a topic?","title":"Chapter","rating":"up"}"""u8);
        using var request = new HttpRequestMessage(new(method), path) { Content = Json(compressed.ToArray()) };
        request.Content.Headers.ContentEncoding.Add(coding);

        var response = await app.Client.SendAsync(request);

        await response.ProblemAsync(415, "unsupported_media_type");
        Assert.Equal(["identity"], response.Headers.GetValues("Accept-Encoding"));
    }

    [Fact]
    public async Task A_body_with_the_identity_encoding_is_read()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/audits") { Content = Json("""{"title":"Chapter"}"""u8.ToArray()) };
        request.Content.Headers.ContentEncoding.Add("identity");

        Assert.Equal(HttpStatusCode.Created, (await app.Client.SendAsync(request)).StatusCode);
    }

    [Theory]
    [InlineData(false, 0, 201)]
    [InlineData(false, 1, 413)]
    [InlineData(true, 0, 201)]
    [InlineData(true, 1, 413)]
    [InlineData(true, 1_000_000, 413)]
    public async Task The_limit_holds_to_the_byte_chunked_or_not(bool isChunked, int more, int status)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/audits") { Content = Json(OfSize(HttpFeature.DefaultBodyBytes + more)) };
        request.Headers.TransferEncodingChunked = isChunked;

        var response = await app.Client.SendAsync(request);

        Assert.Equal(status, (int)response.StatusCode);
        if (status is 413)
            Assert.Equal("The body is larger than this endpoint takes: at most 256 KiB.", (await response.ProblemAsync(413, "body_too_large")).GetProperty("detail").GetString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_that_is_larger_than_its_route_takes_is_told_the_routes_limit(bool isChunked)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/translate") { Content = Json(OfSize((1024 * 1024) + 1)) };
        request.Headers.TransferEncodingChunked = isChunked;

        var problem = await (await app.Client.SendAsync(request)).ProblemAsync(413, "body_too_large");

        Assert.Equal("The body is larger than this endpoint takes: at most 1 MiB.", problem.GetProperty("detail").GetString());
    }

    [Theory]
    [InlineData(0, "201 Created")]
    [InlineData(1, "413 ")]
    public async Task The_limit_holds_for_chunks_of_one_byte(int more, string status)
    {
        var body = OfSize(HttpFeature.DefaultBodyBytes + more);
        var head = Encoding.ASCII.GetBytes("POST /audits HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
        using var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync(app.Address.Host, app.Address.Port);
        await using var stream = socket.GetStream();

        await stream.WriteAsync((byte[])[.. head, .. body.SelectMany(b => (byte[])[(byte)'1', 13, 10, b, 13, 10]), (byte)'0', 13, 10, 13, 10]);

        using var reader = new StreamReader(stream);
        Assert.StartsWith($"HTTP/1.1 {status}", await reader.ReadLineAsync());
    }

    /// <summary>A record of exactly this many bytes; it is padded with white space, which does not count towards its details.</summary>
    private static byte[] OfSize(int bytes) => Encoding.ASCII.GetBytes("""{"title":"Chapter"}""".Insert(1, new(' ', bytes - """{"title":"Chapter"}""".Length)));

    private static ByteArrayContent Json(byte[] body) => new(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
}
