using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace ChatBackend.Tests;

public sealed class HostileRequestsTests(ChatBackendApp app, ITestOutputHelper output) : IClassFixture<ChatBackendApp>
{
    private const int DefaultSeed = 20261121;
    private const int DefaultCount = 1500;

    /// <summary>Internals that no client may see.</summary>
    private static readonly string[] Internals = ["Npgsql", "   at ", "System.", "Microsoft.", "ChatBackend.Features", "select ", "22P0", Repository.Root];

    /// <summary><c>HOSTILE_SEED</c> repeats a run; <c>HOSTILE_COUNT</c> sends more requests.</summary>
    [Fact]
    public async Task Bad_requests_never_cause_a_5xx_and_the_next_good_one_works()
    {
        var seed = Number("HOSTILE_SEED", DefaultSeed);
        var count = Number("HOSTILE_COUNT", DefaultCount);
        output.WriteLine($"HOSTILE_SEED={seed} HOSTILE_COUNT={count}");
        app["AUTH_SECRET"] = HostileRequests.Secret;
        using var client = NewClient();
        var ids = await ExistingIdsAsync();
        var complaints = new ConcurrentQueue<string>();
        var statuses = new ConcurrentDictionary<int, int>();

        await Parallel.ForEachAsync(
            new HostileRequests(seed, ids).Take(count), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = TestContext.Current.CancellationToken },
            async (request, cancellationToken) =>
            {
                var (status, complaint) = await TryAsync(client, request, cancellationToken);
                statuses.AddOrUpdate(status, 1, (_, n) => n + 1);
                if (complaint is not null)
                    complaints.Enqueue($"{complaint}\n{request}");
            });

        output.WriteLine(string.Join(", ", statuses.OrderBy(s => s.Key).Select(s => $"{s.Key}: {s.Value}")));
        Assert.True(complaints.IsEmpty, $"{complaints.Count} of {count}, HOSTILE_SEED={seed}:\n{string.Join("\n\n", complaints.Take(20))}");
        Assert.Equal(HttpStatusCode.OK, (await app.Client.PostAsJsonAsync("/chat", new { message = "What is a topic?" })).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/audits?page_size=50")).StatusCode);
    }

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text) : otherwise;

    private HttpClient NewClient() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        // One character is one byte: headers are sent unchanged.
        RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
        ActivityHeadersPropagator = null,
    })
    {
        BaseAddress = app.Address,
    };

    private async Task<Dictionary<string, List<string>>> ExistingIdsAsync()
    {
        var ids = ((string[])["session_id", "turn_id", "message_id", "id"]).ToDictionary(kind => kind, _ => new List<string>());
        for (var i = 0; i < 10; i++)
        {
            await RememberAsync(await app.Client.PostAsJsonAsync("/chat", new { message = "What is a node?" }));
            await RememberAsync(await app.Client.PostAsJsonAsync("/audits", new { title = "Chapter", details = new { words = i } }));
        }

        var job = await app.Client.PostAsJsonAsync("/ingest?plan=true", new { documents = new[] { new { path = "hostile.md", content = "x" } } });
        ids["job_id"] = [(await job.JsonAsync()).GetProperty("id").GetString()!];
        return ids;

        async Task RememberAsync(HttpResponseMessage response)
        {
            foreach (var member in (await response.JsonAsync()).EnumerateObject().Where(m => ids.ContainsKey(m.Name)))
                ids[member.Name].Add(member.Value.GetString()!);
        }
    }

    private async Task<(int Status, string? Complaint)> TryAsync(HttpClient client, HostileRequest request, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            using var message = Message(request);
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(TimeSpan.FromMinutes(1));
            try
            {
                using var response = await client.SendAsync(message, timeout.Token);
                return ((int)response.StatusCode, Complaint(request, response, await response.Content.ReadAsStringAsync(timeout.Token)));
            }
            catch (HttpRequestException) when (request.IsTooLarge)
            {
                return (0, null);
            }
            catch (HttpRequestException) when (attempt == 1)
            {
                // The server may close a pooled connection just when it is reused.
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                return (0, $"No answer: {e.Message}");
            }
        }
    }

    private HttpRequestMessage Message(HostileRequest request)
    {
        var target = new Uri(app.Address.GetLeftPart(UriPartial.Authority) + request.Target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        var message = new HttpRequestMessage(new HttpMethod(request.Method), target);
        if (request.Body is not null)
            message.Content = new ByteArrayContent(request.Body);
        foreach (var (name, value) in request.Headers)
        {
            if (!message.Headers.TryAddWithoutValidation(name, value))
                message.Content?.Headers.TryAddWithoutValidation(name, value);
        }

        return message;
    }

    private static string? Complaint(HostileRequest request, HttpResponseMessage response, string body)
    {
        var status = (int)response.StatusCode;
        if (status >= 500)
            return $"{status}: {body}";
        if (status < 400 || request.Method == "HEAD" || IsRefusedByKestrel(response, body))
            return null;
        // Clients of other protocols read errors in shapes of their own.
        if (request.Target.StartsWith("/api/chat", StringComparison.Ordinal) && response.Content.Headers.ContentType?.MediaType == "text/plain")
            return body.Length == 0 ? $"{status} says nothing" : null;
        if (request.Target.StartsWith("/v1/", StringComparison.Ordinal) && response.Content.Headers.ContentType?.MediaType == "application/json")
            return JsonDocument.Parse(body).RootElement.GetProperty("error").GetProperty("message").GetString() is { Length: > 0 } ? null : $"{status} says nothing: {body}";
        if (response.Content.Headers.ContentType?.MediaType != "application/problem+json")
            return $"{status} is not problem+json but {response.Content.Headers.ContentType}: {body}";

        var problem = JsonDocument.Parse(body).RootElement;
        if (Text("status") != status.ToString() || Text("code") is "" || Text("title") is "" || Text("trace_id") is "")
            return $"{status} lacks a member: {body}";
        // The caller's input may come back in instance only.
        return Internals.FirstOrDefault(i => (Text("detail") + Text("title")).Contains(i, StringComparison.Ordinal)) is { } leak
            ? $"{status} leaks {leak}: {body}"
            : null;

        string Text(string member) => problem.TryGetProperty(member, out var value) ? value.ToString() : "";
    }

    /// <summary>Kestrel itself rejects invalid HTTP and %00 in a path: a status without a body, and it closes the connection.</summary>
    private static bool IsRefusedByKestrel(HttpResponseMessage response, string body) =>
        body.Length == 0 && response.Headers.ConnectionClose == true
        && response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.RequestUriTooLong or HttpStatusCode.RequestHeaderFieldsTooLarge;
}
