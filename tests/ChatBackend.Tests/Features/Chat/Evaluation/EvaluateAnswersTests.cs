using System.Diagnostics;
using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;
using Dapper;
using Npgsql;

namespace ChatBackend.Tests.Features.Chat.Evaluation;

/// <summary>The command in its own process, with the sample book in a database of its own.</summary>
public sealed class EvaluateAnswersTests(EvaluateAnswersTests.Book book) : IClassFixture<EvaluateAnswersTests.Book>
{
    private static readonly string Questions = Path.Combine(Repository.Root, "sample-book", "questions.tsv");

    [Fact]
    public async Task The_sample_books_questions_are_found_and_refused_well_enough()
    {
        // This is how CI runs the file: .ci/run runs the tests.
        var run = await book.EvalAsync(Questions, "--min-recall", "0.8", "--min-refusal", "0.9");

        Assert.True(run.Code == 0, run.Output + run.Errors);
        Assert.Contains("recall@3", run.Output);
        Assert.Contains("not found", run.Output);
        // A pipe gets no colour codes.
        Assert.DoesNotContain('\u001B', run.Output);
    }

    [Fact]
    public async Task A_minimum_that_is_missed_exits_with_1()
    {
        var file = book.Write("minima.tsv", "What is the capital of France?\t/docs/safety#falling-safely\nWhat is a node?\t-\n");

        var recall = await book.EvalAsync(file, "--min-recall", "0.5");
        var refusal = await book.EvalAsync(file, "--min-refusal", "0.5");

        Assert.Equal((1, 1), (recall.Code, refusal.Code));
        Assert.Contains("recall@3 is 0.000, less than 0.5.", recall.Errors);
        Assert.Contains("The share of refused questions is 0.000, less than 0.5.", refusal.Errors);
        Assert.Equal(0, (await book.EvalAsync(file)).Code);
    }

    [Fact]
    public async Task A_minimum_that_no_question_measures_exits_with_1()
    {
        var answerable = book.Write("answerable.tsv", "What is a node?\t/docs/ros2/nodes-and-topics\n");
        var refused = book.Write("refused.tsv", "What is the capital of France?\t-\n");

        var refusal = await book.EvalAsync(answerable, "--min-refusal", "0.5");
        var recall = await book.EvalAsync(refused, "--min-recall", "0.5");

        Assert.Equal((1, 1), (refusal.Code, recall.Code));
        Assert.Equal("There is no question to refuse, which --min-refusal needs.", refusal.Errors.Trim());
        Assert.Equal("There is no answerable question, which --typos and --min-recall need.", recall.Errors.Trim());
    }

    [Fact]
    public async Task Json_is_all_that_standard_output_has()
    {
        var file = book.Write("json.tsv", "# comment\n\nHow do nodes talk to each other?\t02-ros2/01-nodes-and-topics.md#how-nodes-talk\nWhat is the capital of France?\t-\n");

        var run = await book.EvalAsync(file, "--json", "--typos");
        using var json = JsonDocument.Parse(run.Output);
        var sets = json.RootElement.GetProperty("sets").EnumerateArray().ToArray();
        var question = sets[0].GetProperty("questions")[0];

        Assert.Equal(["answerable", "with a typo", "to refuse"], sets.Select(s => s.GetProperty("name").GetString()));
        Assert.Equal(1, sets[0].GetProperty("measures").GetProperty("recall@1").GetDouble());
        Assert.Equal(1, sets[2].GetProperty("measures").GetProperty("refused").GetDouble());
        Assert.Equal("line 3", question.GetProperty("id").GetString());
        Assert.Equal(1, question.GetProperty("rank").GetInt32());
        Assert.InRange(question.GetProperty("coverage").GetDouble(), 0.5, 1);
        Assert.Equal("/docs/ros2/nodes-and-topics#how-nodes-talk", question.GetProperty("found")[0].GetProperty("url").GetString());
    }

    [Fact]
    public async Task A_place_that_the_book_does_not_have_is_named_with_its_line()
    {
        var run = await book.EvalAsync(book.Write("fault.tsv", "What is a node?\t/docs/ros2/nodes-and-topics#what-a-node-was\n\nWhat is a topic?\ttopic.md\n"));

        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Contains("fault.tsv, line 1: the book has no page or heading /docs/ros2/nodes-and-topics#what-a-node-was.", run.Errors);
        Assert.Contains("fault.tsv, line 3: the book has no page or heading topic.md.", run.Errors);
        Assert.DoesNotContain("   at ", run.Errors);
    }

    [Fact]
    public async Task Wrong_arguments_print_the_usage_and_a_missing_file_its_name()
    {
        Assert.Contains("Usage:", (await book.EvalAsync()).Errors);
        Assert.StartsWith("--min-recall is not an option, or its value is missing or wrong.\nUsage:", (await book.EvalAsync(Questions, "--min-recall", "2")).Errors.ReplaceLineEndings("\n"));
        Assert.Contains("Usage:", (await book.EvalAsync(Questions, "--beir", "folder")).Errors);
        Assert.Contains("none.tsv", (await book.EvalAsync("none.tsv")).Errors);
    }

    [Fact]
    public async Task An_empty_index_is_said()
    {
        var database = await PostgresServer.CreateDatabaseAsync();
        try
        {
            var run = await book.RunAsync(["eval", Questions], ("DATABASE_URL", database));

            Assert.Equal((1, ""), (run.Code, run.Output));
            Assert.Contains("The index is empty. Ingest the book first", run.Errors);
        }
        finally
        {
            await PostgresServer.DropDatabaseAsync(database);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_set_in_BEIRs_layout_has_an_index_of_its_own_that_is_dropped(bool inQdrant)
    {
        await using var qdrant = inQdrant ? await StubQdrant.StartAsync() : null;
        (string, string)[] settings = qdrant is null ? [] : [("QDRANT_URL", qdrant.Url), ("QDRANT_API_KEY", StubQdrant.Key)];
        var folder = Directory.CreateDirectory(Path.Combine(book.Folder, $"beir-{inQdrant}")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "corpus.jsonl"),
            """
            {"_id":"a","title":"Whales","text":"The blue whale is the largest animal that ever lived."}
            {"_id":"b","title":"Bats","text":"A bat finds its prey by the echo of its own cries."}
            {"_id":"c","title":"Bats","text":"Fruit bats see well and do not use an echo."}
            """, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "queries.jsonl"), "{\"_id\":\"1\",\"text\":\"Which animal is the largest?\"}\n{\"_id\":\"2\",\"text\":\"bats and their echo\"}\n{\"_id\":\"3\",\"text\":\"not judged\"}\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "qrels.tsv"), "query-id\tcorpus-id\tscore\n1\ta\t1\n2\tb\t1\n2\tc\t1\n2\ta\t0\n", TestContext.Current.CancellationToken);
        var unanswerable = book.Write($"unanswerable-{inQdrant}.jsonl", "{\"_id\":\"u1\",\"text\":\"When does the pharmacy open?\"}\n");
        var before = await book.ScalarAsync<long>("select count(*) from passages");

        var run = await book.RunAsync(["eval", "--beir", folder, "--unanswerable", unanswerable, "--json"], settings);

        Assert.True(run.Code == 0, run.Errors);
        using var json = JsonDocument.Parse(run.Output);
        var answerable = json.RootElement.GetProperty("sets")[0];
        Assert.Equal(2, answerable.GetProperty("count").GetInt32());
        Assert.Equal(0.75, answerable.GetProperty("measures").GetProperty("recall@1").GetDouble());
        Assert.Equal(1, answerable.GetProperty("measures").GetProperty("nDCG@10").GetDouble());
        Assert.Equal(1, json.RootElement.GetProperty("sets")[1].GetProperty("measures").GetProperty("refused").GetDouble());
        Assert.True(json.RootElement.GetProperty("milliseconds_p50").GetDouble() > 0);
        Assert.Equal(before, await book.ScalarAsync<long>("select count(*) from passages"));
        Assert.Equal(0, await book.ScalarAsync<long>("select count(*) from pg_database where datname like 'chatbackend_eval_%'"));
        if (qdrant is not null)
            Assert.Contains(qdrant.Requests, r => r.Method == "DELETE" && r.Operation.Length == 0);
    }

    [Fact]
    public async Task With_a_model_its_citations_are_measured()
    {
        await using var model = await StubOpenAi.StartAsync();
        model.Answer("Nodes exchange messages [1].");
        var file = book.Write("model.tsv", "How do nodes talk to each other?\t/docs/ros2/nodes-and-topics\n");

        var run = await book.RunAsync(["eval", file, "--json"], ("AI_PROVIDER", "openai"), ("OPENAI_BASE_URL", model.BaseUrl));

        Assert.True(run.Code == 0, run.Errors);
        using var json = JsonDocument.Parse(run.Output);
        var set = json.RootElement.GetProperty("sets")[0];
        Assert.Equal(1, set.GetProperty("measures").GetProperty("right citations").GetDouble());
        Assert.Single(set.GetProperty("questions")[0].GetProperty("cited").EnumerateArray());
        Assert.NotEqual("offline-extractive", json.RootElement.GetProperty("model").GetString());
    }

    public sealed class Book : IAsyncLifetime
    {
        private string _database = "";

        public string Folder { get; } = Directory.CreateTempSubdirectory("eval").FullName;

        public async ValueTask InitializeAsync()
        {
            _database = await PostgresServer.CreateDatabaseAsync();
            var run = await RunAsync(["ingest", Path.Combine(Repository.Root, "sample-book")]);
            Assert.True(run.Code == 0, run.Output + run.Errors);
        }

        public string Write(string name, string text)
        {
            var file = Path.Combine(Folder, name);
            File.WriteAllText(file, text);
            return file;
        }

        public async Task<T?> ScalarAsync<T>(string sql)
        {
            await using var connection = new NpgsqlConnection(_database);
            return await connection.ExecuteScalarAsync<T>(sql);
        }

        public Task<(int Code, string Output, string Errors)> EvalAsync(params string[] arguments) => RunAsync(["eval", .. arguments]);

        public async Task<(int Code, string Output, string Errors)> RunAsync(string[] arguments, params (string Name, string Value)[] settings)
        {
            var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "ChatBackend.dll"), .. arguments])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = Repository.Root,
            };
            foreach (var (name, value) in (IEnumerable<(string, string)>)[("ASPNETCORE_ENVIRONMENT", "Production"), ("DATABASE_URL", _database), ("AI_PROVIDER", "offline"), .. settings])
                start.Environment[name] = value;
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return (process.ExitCode, await output, await errors);
        }

        public async ValueTask DisposeAsync()
        {
            await PostgresServer.DropDatabaseAsync(_database);
            Directory.Delete(Folder, recursive: true);
        }
    }
}
