using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using ChatBackend.Features.Ingest;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Tests.Features.Chat;

namespace ChatBackend.Tests.Features.Ingest;

/// <summary>Uploads over HTTP, and what becomes of them.</summary>
public sealed class PostIngestTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Fact]
    public async Task Json_documents_are_ingested_and_found()
    {
        var job = await UploadAsync(JsonContent.Create(new
        {
            documents = new object[]
            {
                new { path = "json/01-quokka.md", content = "# Quokka\n\n## Smile\n\nThe quokka smiles." },
                new { path = "json/other.md", content = "A numbat.", title = "Numbats", url = "/elsewhere" },
            },
        }));

        Assert.Equal("completed", job.GetProperty("state").GetString());
        Assert.Equal((2, 2, 0), Counts(job));
        Assert.Contains("/docs/json/quokka#smile", await app.Client.GetStringAsync("/search?q=quokka"));
        Assert.Contains("/elsewhere", await app.Client.GetStringAsync("/search?q=numbat"));
    }

    [Fact]
    public async Task Lines_are_ingested_and_a_document_that_is_no_text_is_listed()
    {
        var body = $$"""
            {"path":"lines/a.md","content":"# A\n\nThe bandicoot digs."}
            {"path":"lines/bad.md","content":"a\u0000b"}

            {"content":"# C\n\n{{new string('é', 300_000)}}","path":"./lines/c.md"}
            """;

        var job = await UploadAsync(Content(Encoding.UTF8.GetBytes(body), PostIngest.Lines));

        Assert.Equal((3, 2, 1), Counts(job));
        Assert.Equal("lines/bad.md", job.GetProperty("report").GetProperty("failed")[0].GetProperty("path").GetString());
        Assert.Contains("lines", await app.Client.GetStringAsync("/search?q=bandicoot"));
    }

    [Fact]
    public async Task A_zip_of_docs_is_ingested_with_partials_and_without_other_files()
    {
        var zip = Zip(
            ("docs/zip/index.mdx", "import Part from './_part.mdx'\n\n# Zip\n\n<Part/>\n"), ("docs/zip/_part.mdx", "The echidna curls up."), ("docs/zip/picture.png", "\u0089PNG"),
            ("docs/zip/_category_.json", """{"label": "The zip"}"""), ("docs/.hidden/_category_.yml", "label: Hidden"), ("docs/.hidden/x.md", "hidden"), ("docs\\zip\\windows.md", "# Windows\n\nThe potoroo hops."));

        var job = await UploadAsync(Content(zip, PostIngest.Zip));

        Assert.Equal((3, 3, 0), Counts(job));
        Assert.Equal("The zip", await app.ScalarAsync<string>("select outline ->> 'Label' from documents where path = 'zip/_category_.json'"));
        Assert.Contains("/docs/zip", await app.Client.GetStringAsync("/search?q=echidna"));
        Assert.Contains("/docs/zip/windows", await app.Client.GetStringAsync("/search?q=potoroo"));
    }

    [Fact]
    public async Task The_built_site_can_be_told_with_an_upload()
    {
        const string Site = """{"base_path":"/base/","pages":[{"path":"/base/docs/told/a/","route":"docs/told/a","id":"told/a","anchors":[],"order":0}]}""";
        var zipped = await UploadAsync(Content(Zip(("site.json", Site), ("told/a.md", "The wambenger climbs."), ("told/b.md", "The wambenger sleeps.")), PostIngest.Zip));

        Assert.Equal((1, 1, 0), Counts(zipped));
        Assert.Equal("told/b.md", zipped.GetProperty("report").GetProperty("skipped")[0].GetProperty("path").GetString());
        Assert.Contains("\"/base/docs/told/a/\"", await app.Client.GetStringAsync("/search?q=wambenger"));

        var json = await UploadAsync(Content(Encoding.UTF8.GetBytes($$"""{"site":{{Site}},"documents":[{"path":"told/b.md","content":"x"},{"path":"told/a.md","content":"The wambenger wakes."}]}"""), PostIngest.Json));
        Assert.Equal((1, 1, 0), Counts(json));
    }

    [Theory]
    [InlineData(PostIngest.Json)]
    [InlineData(PostIngest.Lines)]
    public async Task Partials_are_followed_wherever_they_stand_in_an_upload_and_other_files_are_listed(string type)
    {
        var name = type == PostIngest.Json ? "jsonpart" : "linepart";
        string[] documents =
        [
            $$"""{"path":"{{name}}/01-page.mdx","content":"import Part from './_part.mdx'\n\n# Page\n\n<Part/>\n"}""",
            $$"""{"path":"{{name}}/_part.mdx","content":"import Deep from './_deep.md'\n\nThe {{name}}bilby digs.\n\n<Deep/>"}""",
            $$"""{"path":"{{name}}/_deep.md","content":"The {{name}}kowari hunts."}""",
            $$"""{"path":"{{name}}/notes.txt","content":"No page."}""",
            $$"""{"path":"{{name}}/.hidden/_category_.json","content":"{}"}""",
        ];
        var body = type == PostIngest.Json ? $$"""{"documents":[{{string.Join(',', documents)}}]}""" : string.Join('\n', documents);

        var job = await UploadAsync(Content(Encoding.UTF8.GetBytes(body), type));

        Assert.Equal((1, 1, 0), Counts(job));
        Assert.Equal(["_part.mdx", "_deep.md", "notes.txt", "_category_.json"], job.GetProperty("report").GetProperty("skipped").EnumerateArray().Select(s => s.GetProperty("path").GetString()!.Split('/')[^1]));
        Assert.Contains($"/docs/{name}/page", await app.Client.GetStringAsync($"/search?q={name}bilby"));
        Assert.Contains($"/docs/{name}/page", await app.Client.GetStringAsync($"/search?q={name}kowari"));
    }

    [Fact]
    public async Task Partials_that_would_fill_the_memory_are_refused()
    {
        var partials = string.Join(',', Enumerable.Range(0, 5).Select(i => $$"""{"path":"_{{i}}.md","content":"{{new string('x', 1_000_000)}}"}"""));

        var problem = await RefusedAsync(Content(Encoding.UTF8.GetBytes($$"""{"documents":[{{partials}}]}"""), PostIngest.Json), 413, "upload_too_large");

        Assert.Contains("send a zip", problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task The_first_line_may_tell_the_built_site_and_that_it_is_a_plan()
    {
        const string Header = """{"site":{"base_path":"/","pages":[{"path":"/docs/lined/a/","route":"docs/lined/a","id":"lined/a","anchors":[],"order":0}]},"plan":true}""";
        const string Pages = "{\"path\":\"lined/a.md\",\"content\":\"x\"}\n{\"path\":\"lined/b.md\",\"content\":\"x\"}";

        var job = await UploadAsync(Content(Encoding.UTF8.GetBytes($"{Header}\n{Pages}"), PostIngest.Lines));

        Assert.Equal(["lined/a.md"], job.GetProperty("report").GetProperty("plan").GetProperty("added").EnumerateArray().Select(p => p.GetString()));
        Assert.Equal("The built site does not have it.", job.GetProperty("report").GetProperty("skipped")[0].GetProperty("reason").GetString());
        await RefusedAsync(Content(Encoding.UTF8.GetBytes($"{Pages}\n{Header}"), PostIngest.Lines), 400, "invalid_request");
        await RefusedAsync(Content("{\"prune\":false,\"documents\":[]}"u8.ToArray(), PostIngest.Lines), 400, "invalid_request");
        await RefusedAsync(Content("{\"site\":1}"u8.ToArray(), PostIngest.Lines), 400, "invalid_site");
    }

    [Theory]
    [InlineData("")]
    [InlineData("web/site/")]
    public async Task A_zip_of_a_site_has_its_translations_and_versions_as_the_command_has(string at)
    {
        var animal = at.Length == 0 ? "ningaui" : "mulgara";
        var zip = Zip(
            ($"{at}docs/{animal}.md", $"The {animal} of today."), ($"{at}versions.json", """["2.0","1.0"]"""), ($"{at}versioned_docs/version-1.0/{animal}.md", $"The {animal} of old."),
            ($"{at}versioned_docs/version-2.0/{animal}.md", $"The {animal} of yesterday."), ($"{at}i18n/ur/docusaurus-plugin-content-docs/current/{animal}.md", $"The {animal} in Urdu."),
            ($"{at}i18n/ur/docusaurus-plugin-content-docs/current/_category_.json", "{}"), ($"{at}i18n/ur/docusaurus-plugin-content-docs/version-1.0/{animal}.md", $"The old {animal} in Urdu."),
            ($"{at}i18n/ur/docusaurus-plugin-content-blog/{animal}.md", $"A {animal} in a blog."));
        var root = at.Length == 0 ? "" : $"root={at}docs&";

        Assert.Equal((2, 2, 0), Counts(await UploadAsync(Content(zip, PostIngest.Zip), $"?{root}")));
        Assert.Equal([$"/docs/next/{animal}", $"/ur/docs/next/{animal}"], await UrlsAsync(animal) ?? []);
        Assert.Equal((2, 2, 0), Counts(await UploadAsync(Content(zip, PostIngest.Zip), $"?{root}version=1.0")));
        Assert.Equal([$"/docs/1.0/{animal}", $"/ur/docs/1.0/{animal}"], await UrlsAsync(animal) ?? []);
        Assert.Contains($"The {animal} of old.", await app.Client.GetStringAsync($"/search?q={animal}"));
        Assert.Equal((1, 1, 0), Counts(await UploadAsync(Content(zip, PostIngest.Zip), $"?{root}version=2.0")));
        Assert.Equal([$"/docs/{animal}", $"/ur/docs/1.0/{animal}"], await UrlsAsync(animal) ?? []);
        var problem = await RefusedAsync(Content(zip, PostIngest.Zip), 400, "unknown_version", $"?{root}version=3.0");
        Assert.Contains("2.0, 1.0", problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task The_order_is_that_of_the_built_sites_sidebar_and_a_sidebar_written_by_hand_is_not_read()
    {
        const string Site = """{"base_path":"/","pages":[{"path":"/docs/order/z","route":"docs/order/z","id":"order/z","anchors":[],"order":0},{"path":"/docs/order/a","route":"docs/order/a","id":"order/a","anchors":[],"order":1}]}""";
        (string, string)[] files = [("sidebars.js", "module.exports = {};"), ("sidebars.ts", "export default {};"), ("docs/order/a.md", "The dibbler."), ("docs/order/z.md", "The dibbler, too.")];

        Assert.Equal((2, 2, 0), Counts(await UploadAsync(Content(Zip(files), PostIngest.Zip))));
        Assert.Equal((2, 2, 0), Counts(await UploadAsync(Content(Zip([("site.json", Site), .. files]), PostIngest.Zip))));

        Assert.Equal(
            ["order/z.md", "order/a.md"],
            await app.ScalarAsync<string[]>("select array_agg(path order by (outline ->> 'Order')::integer) from documents where path like 'order/%'") ?? []);
    }

    [Fact]
    public async Task A_damaged_entry_is_refused_by_name()
    {
        var zip = Zip(archive =>
        {
            using var entry = archive.CreateEntry("docs/damaged.md", CompressionLevel.NoCompression).Open();
            entry.Write("The phascogale leaps."u8);
        });
        zip[zip.AsSpan().IndexOf("phascogale"u8)]++;

        Assert.Contains("docs/damaged.md", (await RefusedAsync(Content(zip, PostIngest.Zip), 400, "invalid_archive")).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task A_whole_book_of_which_no_page_is_published_is_refused_and_removes_nothing()
    {
        const string OtherSite = """{"base_path":"/","pages":[{"path":"/docs/other","route":"docs/other","id":"other","anchors":[],"order":0}]}""";
        var zip = Zip(("site.json", OtherSite), ("wrong/a.md", "The dunnart pounces."), ("wrong/_category_.json", "{}"));

        var problem = await RefusedAsync(Content(zip, PostIngest.Zip), 400, "no_documents", "?prune=true");

        Assert.Equal("No page of the upload is published. wrong/a.md: The built site does not have it.", problem.GetProperty("detail").GetString());
        await RefusedAsync(JsonContent.Create(new { documents = new[] { new { path = "_part.md", content = "x" } } }), 400, "no_documents");
    }

    [Fact]
    public async Task A_folder_of_a_zip_can_be_named()
    {
        var zip = Zip(("book-main/README.md", "About the repository."), ("book-main/website/docs/named.md", "The bettong burrows."));

        var job = await UploadAsync(Content(zip, PostIngest.Zip), "?root=book-main/website/docs");

        Assert.Equal((1, 1, 0), Counts(job));
        Assert.Contains("\"/docs/named\"", await app.Client.GetStringAsync("/search?q=bettong"));
    }

    [Theory]
    [InlineData("../evil.md", "path_outside_folder")]
    [InlineData("docs/../../evil.md", "path_outside_folder")]
    [InlineData("/etc/evil.md", "path_outside_folder")]
    [InlineData("C:\\evil.md", "path_outside_folder")]
    [InlineData("..\\evil.png", "path_outside_folder")]
    [InlineData("a//evil.md", "invalid_path")]
    public async Task An_entry_that_leaves_the_folder_is_refused_by_name(string name, string code)
    {
        var problem = await RefusedAsync(Content(Zip(("docs/a.md", "x"), (name, "x")), PostIngest.Zip), 400, code);

        Assert.Contains("evil", problem.GetProperty("detail").GetString());
        if (name.EndsWith(".md", StringComparison.Ordinal))
            await RefusedAsync(JsonContent.Create(new { documents = new[] { new { path = name, content = "x" } } }), 400, code);
    }

    [Fact]
    public async Task Links_bombs_and_entries_that_are_too_large_are_refused_by_name()
    {
        var link = Zip(archive =>
        {
            var entry = archive.CreateEntry("docs/link.md");
            entry.ExternalAttributes = unchecked((int)0xA1FF0000);
            using var target = entry.Open();
            target.Write("/etc/passwd"u8);
        });
        Assert.Contains("docs/link.md", (await RefusedAsync(Content(link, PostIngest.Zip), 400, "link_in_archive")).GetProperty("detail").GetString());

        var bomb = Zip(("docs/a.md", "x"), ("docs/bomb.md", new string('a', 3_000_000)));
        Assert.Contains("docs/bomb.md", (await RefusedAsync(Content(bomb, PostIngest.Zip), 400, "archive_bomb")).GetProperty("detail").GetString());

        // None of them is a bomb by itself.
        var bombs = Zip([.. Enumerable.Range(0, 20).Select(i => ($"docs/{i}.md", new string('a', 900_000)))]);
        Assert.Contains("the archive unpacks to more than", (await RefusedAsync(Content(bombs, PostIngest.Zip), 400, "archive_bomb")).GetProperty("detail").GetString());

        var encrypted = Zip(("docs/secret.md", "x"));
        encrypted[encrypted.AsSpan().IndexOf("PK\u0001\u0002"u8) + 8] |= 1;
        Assert.Contains("docs/secret.md", (await RefusedAsync(Content(encrypted, PostIngest.Zip), 400, "encrypted_entry")).GetProperty("detail").GetString());

        var large = Zip(("docs/large.md", Noise(3 * 1024 * 1024)));
        Assert.Contains("docs/large.md", (await RefusedAsync(Content(large, PostIngest.Zip), 413, "document_too_large")).GetProperty("detail").GetString());

        var many = Zip(archive =>
        {
            for (var i = 0; i <= 30_000; i++)
                archive.CreateEntry($"{i}", CompressionLevel.NoCompression);
        });
        await RefusedAsync(Content(many, PostIngest.Zip), 413, "too_many_entries");

        var names = Zip(archive =>
        {
            for (var i = 0; i < 100; i++)
                archive.CreateEntry(new string('n', 60_000) + i, CompressionLevel.NoCompression);
        });
        Assert.Contains("table of contents", (await RefusedAsync(Content(names, PostIngest.Zip), 413, "too_many_entries")).GetProperty("detail").GetString());
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*)::integer from ingest_jobs where state = 'receiving'"));
    }

    [Fact]
    public async Task A_broken_zip_is_refused()
    {
        var zip = Zip(("docs/a.md", Noise(20_000)));

        await RefusedAsync(Content([1, 2, 3], PostIngest.Zip), 400, "invalid_archive");
        await RefusedAsync(Content(zip[..^30], PostIngest.Zip), 400, "invalid_archive");
        zip[0] = 0;
        await RefusedAsync(Content(zip, PostIngest.Zip), 400, "invalid_archive");
        await RefusedAsync(Content(Zip(("docs/a.png", "x")), PostIngest.Zip), 400, "no_documents");
        await RefusedAsync(Content(Zip(("docs/a.md", "x"), ("docs/a.md", "y")), PostIngest.Zip), 400, "duplicate_path");
    }

    [Theory]
    [InlineData("""{"documents":[]}""", "invalid_request", "documents")]
    [InlineData("""{"prune":true}""", "invalid_request", "documents")]
    [InlineData("""{"documents":[{"path":"a.md","content":"x"},{"path":"b.md"}]}""", "invalid_request", "documents[1].content")]
    [InlineData("""{"documents":[{"content":"x"}]}""", "invalid_request", "documents[0].path")]
    [InlineData("""{"documents":[{"path":"a.md","content":1}]}""", "invalid_request", "documents[0].content")]
    [InlineData("""{"documents":[null]}""", "invalid_request", "documents[0]")]
    [InlineData("""{"documents":{}}""", "invalid_request", "documents")]
    [InlineData("""{"documents":[{"path":"a.md","content":"x"}],"prune":"yes"}""", "invalid_request", "prune")]
    [InlineData("""[]""", "invalid_request", "body")]
    [InlineData("""{"documents":[{"path":"a.md","content":"x"}""", "malformed_json", null)]
    [InlineData("""{"documents":[{"path":"a.md","content":"x"}]}}""", "malformed_json", null)]
    [InlineData("", "malformed_json", null)]
    [InlineData("""{"documents":[{"path":"_part.md","content":"x"},{"path":"b.md"}]}""", "invalid_request", "documents[1].content")]
    [InlineData("""{"documents":[{"path":"a.md","content":"x"}],"site":{"base_path":"/","pages":[]}}""", "invalid_site", null)]
    [InlineData("""{"site":{"base_path":"/","pages":[null]},"documents":[{"path":"a.md","content":"x"}]}""", "invalid_site", null)]
    [InlineData("""{"site":{"base_path":"/","pages":[{"path":"/a","route":"a","id":"a","anchors":[null],"order":0}]},"documents":[]}""", "invalid_site", null)]
    [InlineData("""{"site":{"base_path":"/","pages":[{"path":"/a","route":"a","id":"a","anchors":[],"order":0},{"path":"/a/","route":"a","id":"b","anchors":[],"order":1}]},"documents":[]}""", "invalid_site", null)]
    public async Task Json_that_is_wrong_is_refused_and_the_field_named(string body, string code, string? field)
    {
        var problem = await RefusedAsync(Content(Encoding.UTF8.GetBytes(body), PostIngest.Json), 400, code);

        if (field is not null)
            Assert.Equal([field], problem.GetProperty("errors").EnumerateObject().Select(e => e.Name));
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*)::integer from ingest_jobs where state = 'receiving'"));
    }

    [Fact]
    public async Task An_upload_of_more_pages_than_a_book_has_is_refused()
    {
        var lines = string.Concat(Enumerable.Range(0, JobUpload.MaxDocuments + 1).Select(i => $$"""{"path":"{{i}}.md","content":"x"}{{'\n'}}"""));
        await RefusedAsync(Content(Encoding.UTF8.GetBytes(lines), PostIngest.Lines), 413, "too_many_documents");

        var zip = Zip(archive =>
        {
            for (var i = 0; i <= JobUpload.MaxDocuments; i++)
                archive.CreateEntry($"docs/{i}.md", CompressionLevel.NoCompression);
        });
        await RefusedAsync(Content(zip, PostIngest.Zip), 413, "too_many_documents");
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*)::integer from ingest_jobs where state = 'receiving'"));
    }

    [Fact]
    public async Task A_body_that_is_too_large_or_of_another_type_is_refused()
    {
        var large = new string('x', 8_000_000);
        var problem = await RefusedAsync(Content(Encoding.UTF8.GetBytes($$"""{"documents":[{"path":"a.md","content":"x"},{"path":"b.md","content":"{{large}}"}]}"""), PostIngest.Json), 413, "document_too_large");
        Assert.Contains("documents[1]", problem.GetProperty("detail").GetString());
        problem = await RefusedAsync(Content(Encoding.UTF8.GetBytes($$"""{"site":{"base_path":"{{large}}"},"documents":[]}"""), PostIngest.Json), 413, "document_too_large");
        Assert.Contains("site", problem.GetProperty("detail").GetString());
        await RefusedAsync(Content(new byte[PostIngest.MaxBytes + 1], PostIngest.Zip), 413, "body_too_large");
        var type = await RefusedAsync(Content("x"u8.ToArray(), "text/plain"), 415, "unsupported_media_type");
        Assert.Contains("Most take application/json; GET /openapi/v1.json", type.GetProperty("detail").GetString());
        await RefusedAsync(JsonContent.Create(new { documents = new[] { new { path = "a.md", content = "x" } } }), 400, "invalid_request", "?prune=yes");
    }

    [Fact]
    public async Task Events_show_the_progress_to_its_end_and_a_client_that_has_seen_it_gets_no_more()
    {
        using var posted = await app.Client.PostAsync("/ingest", JsonContent.Create(new { documents = new[] { new { path = "events/a.md", content = "A cuscus." } } }));
        Assert.Equal(HttpStatusCode.Accepted, posted.StatusCode);
        var job = posted.Headers.Location!.ToString();

        using var stream = new EventStream(await app.Client.GetAsync($"{job}/events", HttpCompletionOption.ResponseHeadersRead));
        var last = (await stream.AllAsync())[^1];

        Assert.Equal(("ended", "end"), (last.Name, last.Id));
        Assert.Equal("completed", last.Data.GetProperty("state").GetString());
        var again = new HttpRequestMessage(HttpMethod.Get, $"{job}/events") { Headers = { { "Last-Event-ID", "end" } } };
        Assert.Equal(HttpStatusCode.NoContent, (await app.Client.SendAsync(again)).StatusCode);
        await (await app.Client.DeleteAsync(job)).ProblemAsync(409, "ingest_job_ended");
        await (await app.Client.GetAsync($"/ingest/jobs/{Guid.NewGuid()}/events")).ProblemAsync(404, "ingest_job_not_found");
        await (await app.Client.DeleteAsync($"/ingest/jobs/{Guid.NewGuid()}")).ProblemAsync(404, "ingest_job_not_found");
        await (await app.Client.GetAsync("/ingest/jobs/x")).ProblemAsync(400, "invalid_request");
        Assert.Contains(job.Split('/')[^1], await app.Client.GetStringAsync("/ingest/jobs"));
    }

    private Task<string[]?> UrlsAsync(string name) =>
        app.ScalarAsync<string[]>($"select coalesce(array_agg(url order by url), '{{}}') from documents where path like '%{name}.md'");

    private static byte[] Zip(params (string Name, string Text)[] entries) => Zip(archive =>
    {
        foreach (var (name, text) in entries)
        {
            using var stream = archive.CreateEntry(name).Open();
            stream.Write(Encoding.UTF8.GetBytes(text));
        }
    });

    private static byte[] Zip(Action<ZipArchive> fill)
    {
        var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
            fill(archive);
        return bytes.ToArray();
    }

    /// <summary>Text that compresses little.</summary>
    private static string Noise(int length)
    {
        var random = new Random(1);
        return string.Create(length, random, static (text, random) =>
        {
            for (var i = 0; i < text.Length; i++)
                text[i] = (char)random.Next(' ', '~');
        });
    }

    private static ByteArrayContent Content(byte[] body, string type) => new(body) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } };

    private static (int Documents, int Ingested, int Failed) Counts(JsonElement job)
    {
        var report = job.GetProperty("report");
        return (report.GetProperty("documents").GetInt32(), report.GetProperty("ingested").GetInt32(), report.GetProperty("failed_count").GetInt32());
    }

    private async Task<JsonElement> RefusedAsync(HttpContent body, int status, string code, string query = "")
    {
        // Otherwise the server may close the connection while the client is sending. By default a client waits for a second only.
        using var client = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(2) }) { BaseAddress = app.Address };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/ingest" + query) { Content = body, Headers = { ExpectContinue = body.Headers.ContentLength > PostIngest.MaxBytes } };
        using var response = await client.SendAsync(request);
        return await response.ProblemAsync(status, code);
    }

    private async Task<JsonElement> UploadAsync(HttpContent body, string query = "")
    {
        using var posted = await app.Client.PostAsync("/ingest" + query, body);
        Assert.True(posted.StatusCode == HttpStatusCode.Accepted, await posted.Content.ReadAsStringAsync());
        JsonElement job = default;
        await Until.TrueAsync(
            async () => (job = await (await app.Client.GetAsync(posted.Headers.Location)).JsonAsync()).GetProperty("ended_at").ValueKind is not JsonValueKind.Null, "The job did not end.");
        return job;
    }
}
