using System.Text.Json;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Meaning;
using ChatBackend.Infrastructure.Search.Qdrant;
using ChatBackend.Infrastructure.Search.Words;
using ChatBackend.Tests.Infrastructure.Search.Meaning;

namespace ChatBackend.Tests.Infrastructure.Search.Qdrant;

/// <summary>Only Qdrant's index; <see cref="PassageIndexTests"/> tests both. Each test has its own Qdrant.</summary>
public sealed class QdrantPassageIndexTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly SearchQdrant _qdrant = new();

    private StubQdrant Stub => _qdrant.Stub;

    public ValueTask InitializeAsync() => _qdrant.InitializeAsync();

    public ValueTask DisposeAsync() => _qdrant.DisposeAsync();

    [Fact]
    public async Task Both_lists_are_fetched_with_their_scores_in_one_request_and_the_texts_of_the_best_in_another()
    {
        var index = _qdrant.Another(new MeaningOfWords());
        await PutAsync(index, "lists/a.md", [.. Enumerable.Range(0, 30).Select(i => $"The gripper number{i} closes around the cup.")]);
        await index.SearchAsync(new("gripper"), None);
        var before = Stub.Requests.Count;

        Assert.Equal(6, (await index.SearchAsync(new("gripper"), None)).Count);

        var requests = Stub.Requests.Skip(before).ToArray();
        Assert.Equal(["points/query/batch", "points"], requests.Select(r => r.Operation));
        var lists = requests[0].Body!["searches"]!.AsArray().Where(s => s!["using"] is not null).ToArray();
        Assert.Equal(["bm25", "dense"], lists.Select(s => (string)s!["using"]!));
        Assert.All(lists, s => Assert.Equal(ScoreFusion.ListLength, (int)s!["limit"]!));
        Assert.All(lists, s => Assert.DoesNotContain("text", s!["with_payload"]!.AsArray().Select(field => (string)field!)));
        // The point of the document, and nine of the 22 candidates: three may be near-duplicates.
        Assert.Equal(1 + 9, requests[1].Body!["ids"]!.AsArray().Count);
    }

    [Fact]
    public async Task Weights_are_asked_for_once_in_each_revision_of_the_book()
    {
        await PutAsync(_qdrant.Index, "weights/a.md", "A walrus swims.", "A walrus with a gyroscope.", "Something else.");
        var (reader, author) = (_qdrant.Another(), _qdrant.Another());

        Assert.Equal(["walrus"], await AskedAsync("walrus"));
        Assert.Empty(await AskedAsync("walrus"));
        Assert.Equal(["gyroscop"], await AskedAsync("gyroscope walrus"));
        await PutAsync(author, "weights/b.md", "A tapir.");
        Assert.Equal(["walrus"], await AskedAsync("walrus"));
        await author.RemoveAsync(["weights/b.md"], None);
        Assert.Equal(["walrus"], await AskedAsync("walrus"));
        await PutAsync(author, "weights/a.md", "A walrus swims.", "A walrus with a gyroscope.", "Something else.");
        Assert.Empty(await AskedAsync("walrus"));

        async Task<string[]> AskedAsync(string question)
        {
            var before = Stub.Requests.Count;
            await reader.SearchAsync(new(question), None);
            string[] terms = ["walrus", "gyroscop"];
            return
            [
                .. Stub.Requests.Skip(before).Where(r => r.Operation == "points/query/batch").SelectMany(r => r.Body!["searches"]!.AsArray())
                    .Where(s => s!["with_vector"] is not null).Select(s => terms.Single(t => Bm25Vector.IndexOf(t) == (uint)s!["query"]!["indices"]![0]!)),
            ];
        }
    }

    [Fact]
    public async Task Kept_weights_are_those_of_the_book_as_it_is()
    {
        var (reader, author) = (_qdrant.Another(), _qdrant.Another());
        await PutAsync(author, "kept/a.md", "A walrus swims with a friend.", "A tapir eats.");
        var alone = (await reader.SearchAsync(new("walrus gyroscope"), None))[0].Coverage;

        await PutAsync(author, "kept/b.md", [.. Enumerable.Range(0, 9).Select(i => $"The gyroscope number{i} of a walrus turns.")]);
        Assert.All(await reader.SearchAsync(new("walrus gyroscope", 9), None), passage => Assert.InRange(passage.Coverage, 0.7, 0.85));
        await AssertAsFreshAsync();

        await author.RemoveAsync(["kept/b.md"], None);
        Assert.Equal(alone, (await reader.SearchAsync(new("walrus gyroscope"), None))[0].Coverage, 6);
        await AssertAsFreshAsync();

        async Task AssertAsFreshAsync()
        {
            const string Question = "friend of a walrus or a tapir";
            var (kept, fresh) = (await reader.SearchAsync(new(Question, 20), None), await _qdrant.Another().SearchAsync(new(Question, 20), None));
            Assert.Equal(fresh.Select(p => (p.Text, p.Score, p.Coverage)), kept.Select(p => (p.Text, p.Score, p.Coverage)));
        }
    }

    [Fact]
    public async Task The_others_follow_where_the_best_are_near_duplicates()
    {
        const string Steps = "Install the walrus package first, then source the workspace and build it with colcon before you launch the robot";
        await PutAsync(_qdrant.Index, "others/a.md", [.. Enumerable.Repeat(Steps, 8), "A walrus package of another kind, which the whole of this long page explains in quite different words."]);

        var found = await _qdrant.Another().SearchAsync(new("install walrus package", 2), None);

        Assert.Equal(["Install", "A"], found.Select(p => p.Text.Split(' ')[0]));
    }

    [Fact]
    public async Task A_passage_that_is_gone_before_its_text_is_read_makes_the_search_begin_again()
    {
        await PutAsync(_qdrant.Index, "gone/a.md", "A walrus swims.", "A walrus sleeps.");
        await _qdrant.Index.SearchAsync(new("walrus"), None);
        var searches = 0;
        Stub.When(
            r =>
            {
                searches += r.Operation == "points/query/batch" ? 1 : 0;
                if (r.Operation == "points")
                    Stub.Delete(SearchQdrant.Collection, "sleeps");
                return false;
            },
            StubFault.Silence);

        Assert.Equal("A walrus swims.", Assert.Single(await _qdrant.Index.SearchAsync(new("walrus"), None)).Text);
        Assert.Equal(2, searches);
    }

    [Fact]
    public async Task An_unchanged_document_is_neither_embedded_nor_written()
    {
        var embedder = new MeaningOfWords();
        var index = _qdrant.Another(embedder);
        await PutAsync(index, "same/a.md", "A walrus.");
        var (texts, writes) = (embedder.Texts, Writes());

        await PutAsync(index, "same/a.md", "A walrus.");
        await PutAsync(_qdrant.Another(embedder), "same/a.md", "A walrus.");

        Assert.Equal(texts, embedder.Texts);
        Assert.Equal(writes, Writes());

        int Writes() => Stub.Requests.Count(r => r.Query.Contains("wait=true", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_analyzer_or_model_makes_a_document_stale_and_no_model_does_not()
    {
        var index = _qdrant.Another(new MeaningOfWords());
        await PutAsync(index, "stale/a.md", "A walrus.");

        Assert.Equal("A walrus.", (await index.GetDocumentsAsync(None))["stale/a.md"]);
        Assert.Equal("A walrus.", (await _qdrant.Index.GetDocumentsAsync(None))["stale/a.md"]);
        Assert.Equal("", (await _qdrant.Another(new MeaningOfWords { Model = "text-embedding-3-large" }).GetDocumentsAsync(None))["stale/a.md"]);

        Stub.Change(SearchQdrant.Collection, payload => payload["analyzer_version"] = TextAnalyzer.Version - 1);
        Assert.Equal("", (await index.GetDocumentsAsync(None))["stale/a.md"]);
    }

    [Fact]
    public async Task A_long_document_is_written_and_read_in_parts()
    {
        var texts = Enumerable.Range(0, 600).Select(i => $"The walrus number{i} eats.").ToArray();
        await PutAsync(_qdrant.Index, "long/a.md", texts);

        var ids = texts.Select((text, i) => PassageId.Of("long/a.md", new(i, [], null, text))).ToArray();
        Assert.Equal(600, (await _qdrant.Index.GetAsync(ids, None)).Count);
        Assert.All(Stub.Requests.Where(r => r.Operation == "points" && r.Method == "PUT"), r => Assert.InRange(r.Body!["points"]!.AsArray().Count, 1, 256));
    }

    [Fact]
    public async Task Before_the_first_ingest_there_is_nothing_and_nothing_fails()
    {
        Assert.Empty(await _qdrant.Index.SearchAsync(new("walrus"), None));
        Assert.Empty(await _qdrant.Index.GetAsync([Guid.NewGuid()], None));
        Assert.Empty(await _qdrant.Index.GetDocumentsAsync(None));
        await _qdrant.Index.RemoveAsync(["a.md"], None);
        Assert.DoesNotContain(Stub.Requests, r => r.Method == "PUT");
    }

    [Fact]
    public async Task Two_processes_may_make_the_collection_at_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 6).Select(i => PutAsync(_qdrant.Another(), $"at-once/{i}.md", $"The walrus number{i}.")));

        Assert.Equal(6, (await _qdrant.Index.GetDocumentsAsync(None)).Count);
        Assert.Equal(6, (await _qdrant.Index.SearchAsync(new("walrus"), None)).Count);
    }

    [Fact]
    public async Task A_collection_that_was_dropped_is_made_again()
    {
        await PutAsync(_qdrant.Index, "dropped/a.md", "A walrus.");
        Stub.Drop(SearchQdrant.Collection);

        await Assert.ThrowsAsync<SearchException>(() => PutAsync(_qdrant.Index, "dropped/b.md", "Another walrus."));
        await PutAsync(_qdrant.Index, "dropped/b.md", "Another walrus.");

        Assert.Single(await _qdrant.Index.SearchAsync(new("walrus"), None));
    }

    [Fact]
    public async Task A_collection_without_its_indexes_is_healed_by_the_next_ingest()
    {
        await PutAsync(_qdrant.Index, "healed/a.md", "A walrus.");
        Stub.ForgetIndexes(SearchQdrant.Collection);
        Assert.Equal(400, (await Assert.ThrowsAsync<SearchException>(() => _qdrant.Index.SearchAsync(new("walrus"), None))).Status);

        // As an ingest does, it first asks what is indexed.
        Assert.Single(await _qdrant.Another().GetDocumentsAsync(None));

        Assert.Single(await _qdrant.Index.SearchAsync(new("walrus"), None));
    }

    [Fact]
    public async Task Requests_stay_within_the_limits_of_strict_mode()
    {
        Stub.StrictMode = new()
        {
            ["search_allow_exact"] = false,
            ["max_query_limit"] = 20,
            ["max_timeout"] = 1,
            ["search_max_batchsize"] = 2,
            ["upsert_max_batchsize"] = 7,
        };
        var index = _qdrant.Another(new MeaningOfWords());
        // Were all passages equally near, chance would tell which 20 of them are found by meaning.
        var texts = Enumerable.Range(0, 30).Select(i => $"The walrus number{i} eats{(i == 17 ? " with much torque" : "")}.").ToArray();
        await PutAsync(index, "strict/a.md", texts);
        await index.MeasureSimilarityAsync(None);

        Assert.Contains("number17", (await index.SearchAsync(new("what torque has number17"), None))[0].Text);
        var ids = texts.Select((text, i) => PassageId.Of("strict/a.md", new(i, [], null, text))).ToArray();
        Assert.Equal(30, (await _qdrant.Another().GetAsync(ids, None)).Count);
        Assert.Equal(30, Stub.Payloads(SearchQdrant.Collection, "passage").Count);
    }

    [Fact]
    public async Task A_limit_of_strict_mode_that_is_in_the_way_is_named()
    {
        await PutAsync(_qdrant.Index, "strict/a.md", "A walrus.");
        Stub.StrictMode = new() { ["condition_max_size"] = 2 };

        var failure = await Assert.ThrowsAsync<SearchException>(() => _qdrant.Index.GetAsync([Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid()], None));

        Assert.Equal("search_misconfigured", failure.Code);
        Assert.Contains("condition_max_size", failure.Message);
        Assert.DoesNotContain(StubQdrant.UpstreamText, failure.ToString());
    }

    [Fact]
    public async Task Limits_that_are_set_while_the_service_runs_are_read_after_the_first_refusal()
    {
        await PutAsync(_qdrant.Index, "strict/a.md", "A walrus.");
        await _qdrant.Index.GetOutlineAsync(None);
        Stub.StrictMode = new() { ["max_query_limit"] = 5 };
        await Assert.ThrowsAsync<SearchException>(() => _qdrant.Index.GetOutlineAsync(None));

        Assert.Single(await _qdrant.Index.GetOutlineAsync(None));
    }

    /// <summary>The process dies at the n-th request of a replacement, for every n.</summary>
    /// <param name="done">How many points the last request still changed.</param>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(100)]
    public async Task A_kill_anywhere_in_a_replacement_leaves_a_whole_set_and_the_next_ingest_repairs_it(int done)
    {
        string[] old = ["walrus old zero", "walrus old one", "walrus the same"];
        string[] fresh = ["walrus new zero", "walrus new one", "walrus the same", "walrus new three"];
        await PutAsync(_qdrant.Index, "kill/a.md", fresh);
        var golden = Stub.Ids(SearchQdrant.Collection);

        var requests = 0;
        for (var lived = 0; lived <= requests; lived++)
        {
            await PutAsync(_qdrant.Index, "kill/a.md", old);
            requests = 0;
            Stub.When(_ => ++requests == lived + 1, new() { DiesAfter = done }).When(_ => requests > lived + 1, StubFault.Error(500), int.MaxValue);
            await Record.ExceptionAsync(() => PutAsync(_qdrant.Index, "kill/a.md", fresh));
            Stub.Heal();

            var seen = (await _qdrant.Another().SearchAsync(new("walrus", 20), None)).OrderBy(p => p.Position).Select(p => p.Text).ToArray();
            Assert.True(seen.SequenceEqual(old) || seen.SequenceEqual(fresh), $"after {lived} requests: {string.Join(", ", seen)}");
            // A hash means that the document is complete.
            var hash = (await _qdrant.Another().GetDocumentsAsync(None))["kill/a.md"];
            if (hash.Length > 0)
                Assert.Equal((string.Join('|', seen), seen.Length), (hash, Stub.Payloads(SearchQdrant.Collection, "passage").Count));

            // The author may have restored the old page before the next ingest.
            foreach (var texts in (string[][])[old, fresh])
            {
                await PutAsync(_qdrant.Another(), "kill/a.md", texts);
                Assert.Equal(texts, (await _qdrant.Index.SearchAsync(new("walrus", 20), None)).OrderBy(p => p.Position).Select(p => p.Text));
            }

            Assert.Equal(golden, Stub.Ids(SearchQdrant.Collection));
        }

        Assert.Equal(7, requests);
    }

    [Fact]
    public async Task A_kill_in_a_removal_or_a_first_ingest_leaves_what_pruning_finds()
    {
        Stub.When(r => r.Operation == "points/count", StubFault.Error(500), int.MaxValue);
        await Assert.ThrowsAsync<SearchException>(() => PutAsync(_qdrant.Index, "first/a.md", "A walrus."));
        Stub.Heal();

        Assert.Empty(await _qdrant.Index.SearchAsync(new("walrus"), None));
        Assert.Equal("", (await _qdrant.Index.GetDocumentsAsync(None))["first/a.md"]);

        await _qdrant.Index.RemoveAsync(["first/a.md"], None);
        Assert.Empty(Stub.Payloads(SearchQdrant.Collection, QdrantFields.Passage));
        Assert.Empty(Stub.Payloads(SearchQdrant.Collection, QdrantFields.Document));
    }

    [Fact]
    public async Task A_removal_and_a_replacement_at_once_leave_the_whole_page_or_none()
    {
        for (var round = 0; round < 20; round++)
        {
            await Task.WhenAll(
                PutAsync(_qdrant.Index, "both/a.md", $"A walrus {round}.", "Another walrus."), _qdrant.Index.RemoveAsync(["both/a.md", "both/b.md"], None),
                PutAsync(_qdrant.Index, "both/b.md", $"A tapir {round}."));

            var isListed = (await _qdrant.Index.GetDocumentsAsync(None)).ContainsKey("both/a.md");
            Assert.Equal(isListed ? 2 : 0, (await _qdrant.Index.SearchAsync(new("walrus"), None)).Count);
        }
    }

    [Theory]
    [InlineData("acknowledged")]
    [InlineData("wait_timeout")]
    public async Task A_write_that_is_not_completed_is_a_failure(string status)
    {
        await PutAsync(_qdrant.Index, "wait/a.md", "A walrus.");

        foreach (var operation in (string[])["points", "points/batch"])
        {
            Stub.When(r => r.Operation == operation && r.Query.Contains("wait=true", StringComparison.Ordinal), StubFault.Update(status));
            var failure = await Assert.ThrowsAsync<SearchException>(() => PutAsync(_qdrant.Index, "wait/a.md", "Another walrus."));
            Assert.True(failure.IsUnavailable);
            Assert.Equal("", (await _qdrant.Index.GetDocumentsAsync(None))["wait/a.md"]);
        }

        await PutAsync(_qdrant.Index, "wait/a.md", "Another walrus.");
        Assert.Equal("Another walrus.", (await _qdrant.Index.GetDocumentsAsync(None))["wait/a.md"]);
    }

    [Theory]
    [InlineData(500, 503, "search_unavailable", "has failed (500)", 2)]
    [InlineData(503, 503, "search_unavailable", "cannot be reached", 2)]
    [InlineData(429, 503, "search_unavailable", "too many requests", 1)]
    [InlineData(400, 500, "search_failed", "rejected the request (400)", 1)]
    [InlineData(401, 503, "search_misconfigured", "QDRANT_API_KEY", 1)]
    [InlineData(403, 503, "search_misconfigured", "QDRANT_API_KEY", 1)]
    [InlineData(307, 503, "search_misconfigured", "QDRANT_URL", 1)]
    public async Task Transient_errors_are_retried_and_each_failure_names_its_cause(int status, int answer, string code, string detail, int requests)
    {
        await PutAsync(_qdrant.Index, "errors/a.md", "A walrus.");
        var before = Queries();
        Stub.Next("points/query/batch", StubFault.Error(status, ("Retry-After", "7"), ("Location", Stub.Url)), requests);

        var failure = await Assert.ThrowsAsync<SearchException>(() => _qdrant.Index.SearchAsync(new("walrus"), None));

        Assert.Equal(requests, Queries() - before);
        var isUnavailable = code == "search_unavailable";
        Assert.Equal(isUnavailable ? TimeSpan.FromSeconds(7) : null, failure.RetryAfter);
        var problem = ExceptionMapping.ToFailure(failure);
        Assert.Equal((answer, code), (problem.Status, problem.Code));
        Assert.Contains(detail, problem.Detail);
        foreach (var secret in (string[])[StubQdrant.UpstreamText, StubQdrant.Key, new Uri(Stub.Url).Authority])
            Assert.DoesNotContain(secret, failure + problem.Detail);

        int Queries() => Stub.Requests.Count(r => r.Operation == "points/query/batch");
    }

    [Fact]
    public async Task One_failed_or_timed_out_search_is_retried()
    {
        await PutAsync(_qdrant.Index, "again/a.md", "A walrus.");

        Stub.Next("points/query/batch", StubFault.Error(500)).Next("points", StubFault.Silence);

        Assert.Single(await _qdrant.Index.SearchAsync(new("walrus"), None));
    }

    [Fact]
    public async Task Without_Qdrant_or_with_a_wrong_key_searches_fail_at_once()
    {
        var refused = await Assert.ThrowsAsync<SearchException>(() => _qdrant.Another(url: "http://127.0.0.1:1").SearchAsync(new("walrus"), None));
        var locked = await Assert.ThrowsAsync<SearchException>(() => _qdrant.Another(key: "wrong").SearchAsync(new("walrus"), None));

        Assert.True(refused.IsUnavailable);
        Assert.False(locked.IsUnavailable);
        Assert.DoesNotContain("127.0.0.1", refused.ToString());
    }

    [Fact]
    public async Task Requests_are_what_Qdrants_own_description_allows()
    {
        if (ApiDescription.Qdrant is not { } description)
        {
            Assert.Skip("Qdrant's description (qdrant-openapi.json) is not on this machine; CHATBACKEND_SHARED can name its folder.");
            return;
        }

        var index = _qdrant.Another(new MeaningOfWords());
        await PutAsync(index, "described/a.md", "Before it.", "The gripper closes firmly around the cup of the visitor.", "After it.");
        await index.MeasureSimilarityAsync(None);
        await index.SearchAsync(new("grasping a cup") { SelectedText = "gripper closes firmly around the cup of the visitor", PageUrl = "/docs/described/a" }, None);
        await _qdrant.Index.SearchAsync(new("cup"), None);
        await index.GetAsync([Guid.NewGuid()], None);
        await index.GetDocumentsAsync(None);
        await index.RemoveAsync(["described/a.md"], None);

        foreach (var request in Stub.Requests.Where(r => r.Body is not null))
            Assert.Empty(description.Problems(SchemaOf(request), Element(request.Body!)));
        Assert.Equal(9, Stub.Requests.Where(r => r.Body is not null).Select(SchemaOf).Distinct().Count());
        // Check that the check itself can fail.
        Assert.NotEmpty(description.Problems("QueryRequestBatch", Element("""{"searches":[{"query":{"fusion":"magic"},"limit":1}]}""")));
        Assert.NotEmpty(description.Problems("QueryRequestBatch", Element("""{"searches":[{"query":[1],"limit":1,"with_payloads":true}]}""")));
        Assert.NotEmpty(description.Problems("CountRequest", Element("""{"filter":{"must":[{"key":"path","match":{"equals":"x"}}]}}""")));
        Assert.NotEmpty(description.Problems("PointInsertOperations", Element("""{"points":[{"id":"x"}]}""")));

        static JsonElement Element(object json) => JsonDocument.Parse(json.ToString()!).RootElement;
        static string SchemaOf(StubQdrantRequest request) => (request.Method, request.Operation) switch
        {
            ("PUT", "") => "CreateCollection",
            ("POST", "") => "ChangeAliasesOperation",
            ("PUT", "index") => "CreateFieldIndex",
            ("PUT", "points") => "PointInsertOperations",
            ("POST", "points") => "PointRequest",
            ("POST", "points/batch") => "UpdateOperations",
            ("POST", "points/count") => "CountRequest",
            ("POST", "points/scroll") => "ScrollRequest",
            ("POST", "points/query/batch") => "QueryRequestBatch",
            _ => throw new InvalidOperationException(request.Operation),
        };
    }

    private static Task PutAsync(QdrantPassageIndex index, string path, params string[] texts) => index.ReplaceAsync(
        new(path, "Title", "/docs/" + path.Replace(".md", ""), string.Join('|', texts), [.. texts.Select((t, i) => new Chunk(i, [], null, t))]), None);
}
