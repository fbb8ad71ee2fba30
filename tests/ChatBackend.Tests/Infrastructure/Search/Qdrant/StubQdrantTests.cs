using System.Text.Json.Nodes;

namespace ChatBackend.Tests.Infrastructure.Search.Qdrant;

/// <summary>The stub answers as Qdrant 1.18 does. If it accepted what Qdrant refuses, the tests of the index would prove nothing.</summary>
public sealed class StubQdrantTests : IAsyncLifetime
{
    private const string One = "00000000-0000-0000-0000-000000000001";
    private const string Two = "00000000-0000-0000-0000-000000000002";

    private readonly HttpClient _http = new();
    private StubQdrant _stub = null!;

    public async ValueTask InitializeAsync()
    {
        _stub = await StubQdrant.StartAsync();
        _http.BaseAddress = new($"{_stub.Url}/collections/");
        _http.DefaultRequestHeaders.Add("api-key", StubQdrant.Key);
        await AssertAsync(200, "PUT", "book-1", """{"vectors":{"dense":{"size":2,"distance":"Cosine"}},"sparse_vectors":{"bm25":{"modifier":"idf"}},"metadata":{"embedding_model":"m"}}""");
        await AssertAsync(200, "PUT", "book-1/index?wait=true", """{"field_name":"kind","field_schema":"keyword"}""");
        await AssertAsync(200, "POST", "aliases", """{"actions":[{"create_alias":{"collection_name":"book-1","alias_name":"book"}}]}""");
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _stub.DisposeAsync();
    }

    [Fact]
    public async Task A_wrong_key_is_refused_in_plain_text()
    {
        _http.DefaultRequestHeaders.Clear();
        Assert.Equal("Invalid API key or JWT", await AssertAsync(401, "POST", "book/points/count", "{}"));
    }

    [Theory]
    [InlineData("points/query", """{"query":{"indices":[1,1],"values":[1,1]},"using":"bm25"}""")]
    [InlineData("points?wait=true", $$"""{"points":[{"id":"{{One}}","vector":{"bm25":{"indices":[1,1],"values":[1,1]} } }]}""")]
    public async Task A_repeated_sparse_index_is_invalid(string path, string body) =>
        Assert.Contains("must be unique", await AssertAsync(422, path.StartsWith("points?", StringComparison.Ordinal) ? "PUT" : "POST", $"book/{path}", body));

    [Fact]
    public async Task A_collection_or_an_alias_of_the_same_name_is_in_the_way()
    {
        Assert.Contains("already exists!", await AssertAsync(409, "PUT", "book-1", "{}"));
        Assert.Contains("Alias with the same name already exists", await AssertAsync(400, "PUT", "book", "{}"));
        Assert.Equal(["book-1"], _stub.Collections);
    }

    [Fact]
    public async Task Collections_have_metadata()
    {
        var collection = JsonNode.Parse(await AssertAsync(200, "GET", "book"))!["result"]!;
        Assert.Equal("m", (string)collection["config"]!["metadata"]!["embedding_model"]!);
    }

    [Fact]
    public async Task A_failed_operation_in_a_batch_leaves_the_earlier_ones_applied()
    {
        var batch = $$$"""
            {"operations":[{"upsert":{"points":[{{{Point(One, "first")}}}]}}, {"upsert":{"points":[{"id":"{{{Two}}}","vector":{"dense":[1,2,3]}}]}}, {"delete":{"points":["{{{One}}}"]}}]}
            """;
        Assert.Contains("expected dim: 2, got 3", await AssertAsync(400, "POST", "book/points/batch?wait=true", batch));

        Assert.Equal([Guid.Parse(One)], _stub.Ids("book"));
    }

    [Fact]
    public async Task An_update_filter_spares_the_points_that_do_not_match_and_lets_new_ones_in()
    {
        await AssertAsync(200, "PUT", "book/points?wait=true", $$"""{"points":[{{Point(One, "old")}}]}""");

        await PutAsync("other");
        Assert.Equal(["old", "new"], Kinds());
        await PutAsync("old");
        Assert.Equal(["new", "new"], Kinds());
        const string Unindexed = """, "update_filter":{"must":[{"key":"title","match":{"value":"x"}}]}}""";
        Assert.Contains("Index required", await AssertAsync(400, "PUT", "book/points?wait=true", $$"""{"points":[{{Point(One, "newer")}}]""" + Unindexed));

        Task PutAsync(string where) => AssertAsync(
            200, "PUT", "book/points?wait=true",
            $$"""{"points":[{{Point(One, "new")}},{{Point(Two, "new")}}], "update_filter":{"must":[{"key":"kind","match":{"value":"{{where}}"} }]} }""");
        string[] Kinds() => [.. new[] { "old", "new" }.SelectMany(kind => _stub.Payloads("book", kind).Select(_ => kind))];
    }

    [Theory]
    [InlineData("points/count", """{"filter":{"must":[{"key":"title","match":{"value":"x"}}]}}""", "Index required but not found")]
    [InlineData("points/delete?wait=true", """{"filter":{"must":[{"key":"text","match":{"any":["x"]}}]}}""", "Index required but not found")]
    [InlineData("points/count", """{"exact":true}""", "Exact search disabled")]
    [InlineData("points/scroll", """{"limit":21}""", "Limit exceeded 21")]
    [InlineData("points/query/batch?timeout=2", """{"searches":[]}""", "Limit exceeded 2")]
    public async Task Strict_mode_refuses_with_help(string path, string body, string refusal)
    {
        _stub.StrictMode = new() { ["search_allow_exact"] = false, ["max_query_limit"] = 20, ["max_timeout"] = 1 };

        var text = await AssertAsync(400, "POST", $"book/{path}", body);

        Assert.Contains(refusal, text);
        Assert.Contains("Help:", text);
    }

    [Fact]
    public async Task Too_many_requests_say_when_to_come_back()
    {
        _stub.Next("points/count", StubFault.Error(429));

        using var response = await _http.PostAsync("book/points/count", new StringContent("{}"));

        Assert.Equal((429, TimeSpan.FromSeconds(20)), ((int)response.StatusCode, response.Headers.RetryAfter!.Delta!.Value));
    }

    [Fact]
    public async Task A_vector_of_another_size_is_refused() =>
        Assert.Contains("Vector dimension error", await AssertAsync(400, "POST", "book/points/query", """{"query":[1,2,3],"using":"dense"}"""));

    private static string Point(string id, string kind) => $$$"""{"id":"{{{id}}}","vector":{},"payload":{"kind":"{{{kind}}}"}}""";

    private async Task<string> AssertAsync(int status, string method, string path, string? body = null)
    {
        using var request = new HttpRequestMessage(new(method), path) { Content = body is null ? null : new StringContent(body) };
        using var response = await _http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode}: {text}");
        return text;
    }
}
