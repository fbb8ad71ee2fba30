using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Auth;
using Dapper;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Observability;

/// <summary>Values that must never be in logs, traces, metrics or problems, however a turn fails. Each contains a canary.</summary>
public sealed class LeakTests : IAsyncLifetime
{
    private readonly Dictionary<string, string> _canaries = new[] { "question", "selection", "answer", "page", "comment", "apikey", "bearer", "subject", "secret", "repeat", "password", "path" }
        .ToDictionary(name => name, name => $"canary-{name}-{Guid.NewGuid():N}");

    private readonly List<string> _ids = [];
    private readonly List<string> _problems = [];
    private int _asked;
    private string _token = "";
    private string _database = "";
    private StubOpenAi _model = null!;
    private StubCollector _collector = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await PostgresServer.CreateDatabaseAsync();
        _model = await StubOpenAi.StartAsync();
        _collector = await StubCollector.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _collector.DisposeAsync();
        await _model.DisposeAsync();
        await PostgresServer.DropDatabaseAsync(_database);
    }

    [Fact]
    public async Task Completed_and_failed_turns_leak_no_text_key_or_id()
    {
        await using var service = Start(("DATABASE_URL", _database), ("OPENAI_API_KEY", _canaries["apikey"]));
        await service.WaitUntilReadyAsync();
        Prepare(service.Client);

        _model.Answer($"The answer is {_canaries["answer"]}.");
        var answer = await (await AskAsync(service)).JsonAsync();
        Remember(answer, "session_id", "turn_id", "message_id");
        var session = answer.GetProperty("session_id").GetString();
        await service.Client.GetAsync($"/chat/turns/{answer.GetProperty("turn_id").GetString()}");
        await service.Client.GetAsync($"/chat/turns/{answer.GetProperty("turn_id").GetString()}/events");
        await service.Client.GetAsync($"/chat/sessions/{session}/messages");
        await service.Client.PutAsJsonAsync($"/chat/messages/{answer.GetProperty("message_id").GetString()}/feedback", new { rating = "up", comment = _canaries["comment"] });

        _model.Fail(401, "invalid_api_key", message: $"Incorrect API key provided: {_canaries["apikey"]}");
        await FailAsync(service);
        _model.Fail(400, message: $"Your prompt {_canaries["question"]} is not allowed");
        await FailAsync(service);
        _model.TruncateAfter($"Half of {_canaries["answer"]}", times: 3);
        await AskAsync(service);

        // The database rejects the row, and its message contains the row.
        await using (var connection = new NpgsqlConnection(_database))
            await connection.ExecuteAsync("alter table messages add constraint refused check (content = '') not valid");
        await FailAsync(service);

        await service.Client.GetAsync($"/search?q={_canaries["question"]}");
        await service.Client.GetAsync($"/nowhere/{_canaries["path"]}?{_canaries["path"]}");
        await service.Client.PostAsync("/chat", new StringContent($$"""{"message":"{{_canaries["question"]}}",,}""", new MediaTypeHeaderValue("application/json")));
        await service.Client.PostAsJsonAsync("/chat", new { message = _canaries["question"], session_id = _canaries["path"] });
        await service.Client.DeleteAsync($"/chat/sessions/{session}");
        using var forged = new HttpRequestMessage(HttpMethod.Post, "/chat") { Content = JsonContent.Create(new { message = "x" }), Headers = { Authorization = new("Bearer", _canaries["bearer"]) } };
        Assert.Equal(HttpStatusCode.Unauthorized, (await service.Client.SendAsync(forged)).StatusCode);
        service.Stop();
        Assert.Equal(0, await service.WaitForExitAsync());

        await Until.TrueAsync(() => _collector.Traces.Contains("POST /chat"), "No trace arrived.");
        AssertNoLeak(service.Output);
    }

    [Fact]
    public async Task An_unavailable_database_does_not_leak_its_password()
    {
        await using var service = Start(("DATABASE_URL", $"postgres://reader:{_canaries["password"]}@127.0.0.1:1/book"), ("OPENAI_API_KEY", _canaries["apikey"]));
        await service.WaitUntilAliveAsync();
        await Until.TrueAsync(() => service.Output.Contains("cannot be migrated yet"), "Nothing was logged.");
        Prepare(service.Client);

        await FailAsync(service);

        service.Stop();
        await service.WaitForExitAsync();
        Assert.Contains("\"status\":503", service.Output);
        AssertNoLeak(service.Output);
    }

    private ServiceProcess Start(params (string Name, string Value)[] settings)
    {
        var all = settings.ToDictionary(s => s.Name, s => s.Value);
        all["ASPNETCORE_ENVIRONMENT"] = "Production";
        all["OPENAI_BASE_URL"] = _model.BaseUrl;
        all["TRUSTED_PROXIES"] = "127.0.0.0/8";
        all["AUTH_SECRET"] = _canaries["secret"];
        all["OTEL_EXPORTER_OTLP_ENDPOINT"] = _collector.Endpoint;
        return ServiceProcess.Start(all);
    }

    private void Prepare(HttpClient client)
    {
        var expires = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds();
        _token = SigningKey.Secret(_canaries["secret"]).Token(JsonSerializer.Serialize(new { sub = _canaries["subject"], exp = expires }));
        client.DefaultRequestHeaders.Authorization = new("Bearer", _token);
        client.DefaultRequestHeaders.Add("X-Forwarded-For", _canaries["address"] = "203.0.113.77");
    }

    private async Task<HttpResponseMessage> AskAsync(ServiceProcess service)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/chat")
        {
            Content = JsonContent.Create(new
            {
                message = $"What is {_canaries["question"]}?",
                selected_text = _canaries["selection"],
                page_url = $"/docs/{_canaries["page"]}",
            }),
            Headers = { { "Idempotency-Key", $"{_canaries["repeat"]}-{++_asked}" } },
        };
        return await service.Client.SendAsync(request);
    }

    private async Task FailAsync(ServiceProcess service)
    {
        var response = await AskAsync(service);
        var body = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode >= 500, $"{response.StatusCode}: {body}");
        _problems.Add(body);
    }

    private void Remember(JsonElement answer, params string[] members) =>
        _ids.AddRange(members.Select(m => answer.GetProperty(m).GetString()!));

    private void AssertNoLeak(string output)
    {
        var told = string.Join('\n', [output, _collector.Traces, _collector.Metrics, .. _problems]);
        Assert.All([_token, .. _canaries.Values, .. _ids, .. _ids.Select(i => i.Replace("-", "")), StubOpenAi.UpstreamText], secret => Assert.DoesNotContain(secret, told));
    }
}
