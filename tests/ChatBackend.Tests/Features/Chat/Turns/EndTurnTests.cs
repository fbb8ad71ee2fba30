using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Limits;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace ChatBackend.Tests.Features.Chat.Turns;

public sealed class EndTurnTests : IAsyncLifetime
{
    private const int Turns = 16;

    // One beat, at the start: leases are left to the test.
    private readonly ChatApp _app = new() { ["Turns:Beat"] = "01:00:00" };

    public ValueTask InitializeAsync() => _app.InitializeAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task Turns_that_end_at_once_share_a_transaction_and_each_gets_its_answer_and_its_tokens()
    {
        var turns = await BeginAsync();

        Assert.All(await Task.WhenAll(turns.Select(EndAsync)), Assert.True);

        Assert.InRange(await _app.ScalarAsync<int>("select count(distinct xmin::text) from turns"), 1, Turns - 1);
        Assert.Equal(Turns, await _app.ScalarAsync<int>("select count(*) from turns as t join messages as m on m.turn_id = t.id and m.position = 2 where t.state = 'failed'"));
        Assert.Equal($"{Turns * 10} {Turns * 10}", await _app.ScalarAsync<string>(
            "select concat_ws(' ', sum(tokens) filter (where client = ''), sum(tokens) filter (where client = 'reader')) from token_usage"));
        // Nothing is left to end.
        Assert.All(await Task.WhenAll(turns.Select(EndAsync)), Assert.False);
    }

    [Fact]
    public async Task A_turn_that_cannot_be_stored_does_not_stop_the_others()
    {
        var turns = await BeginAsync();
        var refused = turns[Turns / 2];
        await _app.ExecuteAsync(
            $"""
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
            create trigger refuse before insert on messages for each row when (new.turn_id = '{refused.Id}') execute function refuse();
            """);

        var ends = turns.Select(t => (Turn: t, End: EndAsync(t))).ToArray();

        foreach (var (turn, end) in ends)
        {
            if (turn == refused)
                await Assert.ThrowsAsync<PostgresException>(() => end);
            else
                Assert.True(await end);
        }

        Assert.Equal([refused.Id], await RunningAsync());
    }

    [Fact]
    public async Task A_turn_that_somebody_has_locked_keeps_only_its_own_end_waiting()
    {
        var turns = await BeginAsync();
        var locked = turns[Turns / 2];
        await using var connection = await _app.OpenDatabaseAsync();
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("select from turns where id = @Id for update", new { locked.Id });

        var ends = turns.Select(t => (Turn: t, End: EndAsync(t))).ToArray();

        Assert.All(await Task.WhenAll(ends.Where(e => e.Turn != locked).Select(e => e.End)), Assert.True);
        Assert.Equal([locked.Id], await RunningAsync());
        // They went together, and not one by one after a transaction that had waited for the lock until its time limit.
        Assert.InRange(await _app.ScalarAsync<int>("select count(distinct xmin::text) from turns where state = 'failed'"), 1, Turns - 2);

        await transaction.RollbackAsync(TestContext.Current.CancellationToken);
        Assert.True(await ends.Single(e => e.Turn == locked).End);
    }

    private static Guid Process { get; } = Guid.NewGuid();

    private Task<bool> EndAsync(ClaimedTurn turn) =>
        _app.Services.GetRequiredService<EndTurn>().FailAsync(turn, TurnFailure.Abandoned(), latencyMs: 1, tokens: 10, TestContext.Current.CancellationToken);

    private async Task<Guid[]> RunningAsync()
    {
        await using var connection = await _app.OpenDatabaseAsync();
        return [.. await connection.QueryAsync<Guid>("select id from turns where state = 'running'")];
    }

    /// <summary>Running turns, each the first of its session.</summary>
    private async Task<ClaimedTurn[]> BeginAsync()
    {
        var account = new TokenAccount("2026-11-22", "reader");
        var turns = Enumerable.Range(0, Turns)
            .Select(_ => new ClaimedTurn(Guid.NewGuid(), Guid.NewGuid(), 1, Attempt: 1, UserId: null, new("What is a node?", null, null), account, IsOffline: false))
            .ToArray();
        await _app.ExecuteAsync(
            """
            with asked as (select * from unnest(@Ids, @Sessions) as t (id, session_id)),
            session as (insert into chat_sessions (id, turn_count) select session_id, 1 from asked)
            insert into turns (id, session_id, number, request, lease_owner, lease_until)
            select id, session_id, 1, '{}', @Process, now() + interval '1 hour' from asked
            """, new { Ids = turns.Select(t => t.Id).ToArray(), Sessions = turns.Select(t => t.SessionId).ToArray(), Process });
        return turns;
    }
}
