using System.ComponentModel;
using System.Diagnostics;
using System.Net.Http.Json;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Qdrant;
using ChatBackend.Tests.Features.Ingest;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.Answering;

/// <summary>
/// A chapter of the sample book, with a real embedding model and without a chat model. The embedder is not in this repository: it is
/// <c>tools/embedder/serve.py</c> in the folder that <c>CHATBACKEND_SHARED</c> names, by default <c>shared</c> beside the repository.
/// </summary>
public sealed class MeaningTests
{
    private const string Chapter = "02-ros2";

    [Fact]
    public async Task With_a_real_model_questions_on_the_book_are_answered_and_others_are_not_with_either_index()
    {
        await using var embedder = await RealEmbedder.StartAsync();
        await using var qdrant = await StubQdrant.StartAsync();

        var (beside, withQdrant) = await AskAsync(embedder, qdrant);
        var (within, embedded) = await AskAsync(embedder, qdrant: null);

        Assert.Equal(beside, within, 0.003);
        Assert.Equal(withQdrant.Count(q => q.IsFound), embedded.Count(q => q.IsFound), 1.0);
        Assert.Equal(withQdrant.Count(q => q.IsNear), embedded.Count(q => q.IsNear), 1.0);
        Assert.Equal(withQdrant.Count(q => q.IsAnswered), embedded.Count(q => q.IsAnswered), 1.0);
    }

    /// <summary>Asks every question of an index.</summary>
    /// <param name="qdrant">Null for the embedded index.</param>
    private static async Task<(double Threshold, List<AskedQuestion> Asked)> AskAsync(RealEmbedder embedder, StubQdrant? qdrant)
    {
        await using var app = new ChatBackendApp
        {
            ["AI_PROVIDER"] = "offline",
            ["OPENAI_BASE_URL"] = embedder.BaseUrl,
            ["OPENAI_EMBEDDING_MODEL"] = "all-MiniLM-L6-v2",
            ["OPENAI_EMBEDDING_DIMENSIONS"] = "384",
            ["SAMPLE_BOOK"] = "off",
            ["RATE_LIMIT_CHAT"] = "0",
            // It embeds some ten passages a second, fewer on a busy machine.
            ["ModelLimits:Embed"] = "00:02:00",
            ["ModelLimits:EmbedBudget"] = "00:05:00",
        };
        if (qdrant is not null)
            (app["QDRANT_URL"], app["QDRANT_API_KEY"]) = (qdrant.Url, StubQdrant.Key);
        await app.InitializeAsync();
        await app.IngestAsync(Path.Combine(Repository.Root, "sample-book", Chapter));
        var threshold = qdrant is null
            ? await app.ScalarAsync<double>("select value from measured_similarity")
            : (double)Assert.Single(qdrant.Payloads("textbook", QdrantFields.Threshold))["value"]!;

        var index = app.Services.GetRequiredService<IPassageIndex>();
        var asked = new List<AskedQuestion>();
        foreach (var (question, place) in Questions())
        {
            var answer = await (await app.Client.PostAsJsonAsync("/chat", new { message = question })).JsonAsync();
            var found = await index.SearchAsync(new(question), TestContext.Current.CancellationToken);
            asked.Add(new(place, found.Take(3).Any(p => p.Url == place.Replace("/docs/ros2/", "/docs/", StringComparison.Ordinal)), found.Any(p => p.Nearness >= 0), answer.GetProperty("grounding").GetString() != "none"));
        }

        var (book, unrelated) = (asked.Where(q => q.Place != "-").ToArray(), asked.Where(q => q.Place == "-").ToArray());
        var (near, answered) = (book.Count(q => q.IsNear), book.Count(q => q.IsAnswered));
        var (alsoNear, invented) = (unrelated.Count(q => q.IsNear), unrelated.Count(q => q.IsAnswered));
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{(qdrant is null ? "PostgreSQL" : "Qdrant")}: threshold {threshold}. Of {book.Length} questions {book.Count(q => q.IsFound)} found among the first 3, {near} near, "
            + $"{answered} answered; of {unrelated.Length} unrelated {alsoNear} near, {invented} answered.");
        Assert.InRange(threshold, 0.15, 0.45);
        Assert.InRange(book.Count(q => q.IsFound), 0.6 * book.Length, book.Length);
        Assert.InRange(near, 0.85 * book.Length, book.Length);
        Assert.InRange(answered, 0.85 * book.Length, book.Length);
        Assert.InRange(alsoNear, 0, 0.2 * unrelated.Length);
        Assert.InRange(invented, 0, 0.1 * unrelated.Length);
        return (threshold, asked);
    }

    /// <summary>The questions on the chapter, and those from another subject than the book's.</summary>
    private static IEnumerable<(string Text, string Place)> Questions() =>
        from line in File.ReadLines(Path.Combine(Repository.Root, "sample-book/questions.tsv")).TakeWhile(line => !line.StartsWith("How much does the Unitree", StringComparison.Ordinal))
        let columns = line.Split('\t')
        where columns.Length > 1 && (columns[1] == "-" || columns[1].StartsWith("/docs/ros2", StringComparison.Ordinal))
        select (columns[0], columns[1]);

    /// <param name="Place">Where the book answers it; a hyphen for nowhere.</param>
    /// <param name="IsFound">Whether the place is among the first three passages.</param>
    private sealed record AskedQuestion(string Place, bool IsFound, bool IsNear, bool IsAnswered);

    /// <summary>all-MiniLM-L6-v2 in a process of Python with NumPy.</summary>
    private sealed class RealEmbedder : IAsyncDisposable
    {
        private const string Python = "/usr/bin/python3";

        private readonly Process _process;

        private RealEmbedder(Process process, int port) => (_process, BaseUrl) = (process, $"http://127.0.0.1:{port}/v1");

        public string BaseUrl { get; }

        public static async Task<RealEmbedder> StartAsync()
        {
            var shared = Environment.GetEnvironmentVariable("CHATBACKEND_SHARED") is { Length: > 0 } set ? set : Path.Combine(Repository.Root, "..", "shared");
            var script = Path.Combine(shared, "tools/embedder/serve.py");
            Assert.SkipUnless(File.Exists(script), "The embedder (tools/embedder/serve.py) is not on this machine; CHATBACKEND_SHARED can name its folder.");
            Assert.SkipUnless(HasNumPy(), $"{Python} with NumPy is not on this machine (Debian's python3-numpy).");

            var port = ServiceProcess.FreePort();
            var start = new ProcessStartInfo(Python, [script, $"{port}"]) { RedirectStandardOutput = true };
            // It keeps its vectors below the home folder.
            start.Environment["HOME"] = Directory.CreateTempSubdirectory("embedder").FullName;
            var embedder = new RealEmbedder(Process.Start(start)!, port);
            // The first line is its address.
            Assert.NotNull(await embedder._process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            using var http = new HttpClient();
            await Until.TrueAsync(async () => await AnswersAsync(http, embedder.BaseUrl), "The embedder does not answer.");
            return embedder;
        }

        public async ValueTask DisposeAsync()
        {
            _process.Kill();
            await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
            _process.Dispose();
        }

        private static bool HasNumPy()
        {
            try
            {
                using var process = Process.Start(new ProcessStartInfo(Python, ["-c", "import numpy"]) { RedirectStandardError = true })!;
                process.WaitForExit();
                return process.ExitCode == 0;
            }
            catch (Win32Exception)
            {
                return false;
            }
        }

        private static async Task<bool> AnswersAsync(HttpClient http, string url)
        {
            try
            {
                // Any answer will do.
                using var answer = await http.GetAsync(url);
                return true;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }
    }
}
