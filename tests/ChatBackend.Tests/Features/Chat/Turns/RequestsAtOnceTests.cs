using System.Collections.Concurrent;
using System.Text.Json;
using ChatBackend.Features.Chat.Retention;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Tests.Features.Profile;
using Dapper;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.Turns;

/// <summary>Readers do all that they can at once, on two replicas, while old conversations are deleted.</summary>
public sealed class RequestsAtOnceTests
{
    private const int Workers = 8;
    private const int Steps = 25;

    private readonly string[] _readers = [ProfileApp.NewReader(), ProfileApp.NewReader()];

    [Fact]
    public async Task Every_turn_ends_nothing_is_left_without_its_owner_and_a_reader_who_leaves_takes_all_with_them()
    {
        await using var first = Replica();
        await first.InitializeAsync();
        await using var second = Replica();
        second["DATABASE_URL"] = first.Database;
        await second.InitializeAsync();
        ChatApp[] replicas = [first, second];
        foreach (var replica in replicas)
            replica.Model.Default = _ => string.Concat(Enumerable.Repeat("word ", 1_000));
        var outcomes = new ConcurrentBag<string>();

        await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
        {
            var random = new Random(worker);
            for (var step = 0; step < Steps; step++)
                outcomes.Add(await StepAsync(first, replicas[random.Next(2)], random));
        })));

        foreach (var replica in replicas)
            await Until.TrueAsync(() => replica.Services.GetRequiredService<TurnRunner>().Attempts.Count == 0, "A turn runs on.");
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join("\n", outcomes.CountBy(o => o).OrderBy(o => o.Key)));
        Assert.DoesNotContain(outcomes, o => o.Contains(" 5", StringComparison.Ordinal));
        await using var connection = await first.OpenDatabaseAsync();
        foreach (var (what, sql) in Violations)
            Assert.True(await connection.ExecuteScalarAsync<int>($"select count(*) from {sql}") == 0, what);

        foreach (var reader in _readers)
            Assert.True((await first.Client.SendAsync(ProfileApp.Request(reader, HttpMethod.Delete, "/profile"))).IsSuccessStatusCode);
        Assert.Empty(await first.FindTextsAsync(_readers));
    }

    private static readonly (string What, string Sql)[] Violations =
    [
        ("A turn runs on.", "turns where state = 'running'"),
        ("A session is without a turn.", "chat_sessions as s where not exists (select from turns where session_id = s.id)"),
        ("A session's turns have gaps.", "(select session_id from turns join chat_sessions as s on s.id = session_id group by session_id, turn_count having count(*) <> turn_count or max(number) <> turn_count) as t"),
        ("A turn is without its two messages.", "turns as t where (select array_agg(position order by position) from messages where turn_id = t.id) is distinct from array[number * 2 - 1, number * 2]"),
        ("A message is without its turn.", "messages as m where not exists (select from turns as t where t.id = m.turn_id and t.session_id = m.session_id)"),
        ("A turn was replaced by none that comes after it.", "turns as t where superseded_by is not null and not exists (select from turns as by where by.id = t.superseded_by and by.session_id = t.session_id and by.number > t.number)"),
        ("A conversation forks.", "turns as t where superseded_by is null and exists (select from turns as by where by.session_id = t.session_id and by.superseded_by is not null and (select number from turns where id = by.superseded_by) > t.number and by.number < t.number)"),
        ("An ended turn still names its client.", "turns where token_client is not null"),
        ("The clients' tokens are not the service's.", "(select sum(tokens) filter (where client = '') as service, sum(tokens) filter (where client <> '') as clients from token_usage) as t where service is distinct from clients"),
    ];

    /// <summary>One request, and its outcome as "what status".</summary>
    /// <param name="first">Whose database both have.</param>
    private async Task<string> StepAsync(ChatApp first, ChatApp app, Random random)
    {
        var reader = random.Next(3) is var who && who < 2 ? _readers[who] : null;
        var session = await AnyAsync("select id from chat_sessions order by random() limit 1");
        var turn = await AnyAsync("select id from turns order by state = 'running' desc, random() limit 1");
        switch (random.Next(12))
        {
            case 0:
                return await SendAsync("claim", HttpMethod.Post, $"/chat/sessions/{session}/claim");
            case 1 or 2:
                return await SendAsync("stop", HttpMethod.Post, $"/chat/turns/{turn}/stop");
            case 3 or 4:
                return await SendAsync("regenerate", HttpMethod.Post, $"/chat/turns/{turn}/regenerate");
            case 5:
                return await SendAsync("delete session", HttpMethod.Delete, $"/chat/sessions/{session}");
            case 6:
                return await SendAsync("erase", HttpMethod.Delete, "/profile");
            case 7:
                return await SendAsync("write profile", HttpMethod.Put, "/profile", new { preferred_language = "ur" });
            case 8:
                await first.ExecuteAsync("update chat_sessions set updated_at = now() - interval '2 days' where id = @session", new { session });
                return $"retention {await app.Services.GetRequiredService<OldConversations>().DeleteAsync(days: 1, TestContext.Current.CancellationToken) >= 0}";
            default:
                var key = random.Next(2) == 0 ? null : $"{Guid.NewGuid()}";
                return await SendAsync("ask", HttpMethod.Post, "/chat", new { message = "How do ROS 2 nodes talk?", session_id = random.Next(2) == 0 ? session : Guid.NewGuid() }, key);
        }

        async Task<Guid> AnyAsync(string sql) => await first.ScalarAsync<Guid?>(sql) ?? Guid.NewGuid();

        async Task<string> SendAsync(string what, HttpMethod method, string path, object? body = null, string? key = null)
        {
            using var request = ProfileApp.Request(reader, method, path, body is null ? null : JsonSerializer.Serialize(body));
            if (key is not null)
                request.Headers.Add("Idempotency-Key", key);
            using var response = await app.Client.SendAsync(request, TestContext.Current.CancellationToken);
            return $"{what} {(int)response.StatusCode}";
        }
    }

    private static ChatApp Replica() => new() { ["AUTH_SECRET"] = ProfileApp.Secret, ["DAILY_TOKEN_BUDGET"] = "100000000", ["Turns:Beat"] = "00:00:00.050" };
}
