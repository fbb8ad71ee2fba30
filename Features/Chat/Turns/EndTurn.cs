using System.Diagnostics;
using System.Threading.Channels;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Limits;
using Npgsql;
using NpgsqlTypes;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Ends turns, each of them once. An attempt that lost its turn to a later one changes nothing.</summary>
/// <remarks>While a transaction runs, the turns that end are collected. They end together in the next one: one round trip and one commit for all.
/// Such a transaction does not wait for a turn that somebody has locked: that turn is ended by itself.</remarks>
internal sealed class EndTurn : IDisposable
{
    /// <summary>The most turns of one transaction.</summary>
    private const int Most = 16;

    /// <summary>A transaction that takes longer, because it waits for a connection for example, delays only its own turns: the next one begins.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(25);

    private readonly Channel<EndedTurn> _ended = Channel.CreateUnbounded<EndedTurn>(new() { SingleReader = true });
    private readonly NpgsqlDataSource _database;
    private readonly TimeProvider _time;

    public EndTurn(NpgsqlDataSource database, TimeProvider time)
    {
        (_database, _time) = (database, time);
        _ = Task.Run(StoreAllAsync);
    }

    public void Dispose() => _ended.Writer.TryComplete();

    /// <summary>With the whole answer or, if its reader stopped it, with what was written so far.</summary>
    /// <param name="json">The response, as its readers get it.</param>
    public Task<bool> CompleteAsync(ClaimedTurn turn, ChatResponse response, string json, long tokens, CancellationToken cancellationToken) => RunAsync(
        new(turn, response.IsStopped ? "stopped" : "completed", response.MessageId, "assistant", response.Response, TurnJson.Write(response.Citations),
            json, Error: null, response, response.Usage, tokens, cancellationToken));

    public Task<bool> FailAsync(ClaimedTurn turn, TurnFailure failure, int latencyMs, long tokens, CancellationToken cancellationToken) => RunAsync(
        new(turn, "failed", Guid.NewGuid(), "system", $"This question was not answered ({failure.Code}).", "[]",
            Response: null, TurnJson.Write(failure), Answer: null, new(null, null, latencyMs), tokens, cancellationToken));

    private async Task<bool> RunAsync(EndedTurn turn)
    {
        ObjectDisposedException.ThrowIf(!_ended.Writer.TryWrite(turn), this);
        // A turn that is dropped meanwhile is waited for, too: either it is ended and its tokens are counted, or neither.
        return await turn.Stored.Task;
    }

    private async Task StoreAllAsync()
    {
        while (await _ended.Reader.WaitToReadAsync())
        {
            var together = new List<EndedTurn>();
            while (together.Count < Most && _ended.Reader.TryRead(out var turn))
                together.Add(turn);
            await Task.WhenAny(StoreAsync(together), Task.Delay(Patience, _time));
        }
    }

    private async Task StoreAsync(List<EndedTurn> turns)
    {
        Activity.Current = turns[0].Activity;
        try
        {
            var dropped = turns.Count == 1 ? turns[0].Dropped : CancellationToken.None;
            var stored = await _database.RetryAsync(connection => ExecuteAsync(connection, turns, dropped), dropped);
            foreach (var (turn, isStored) in turns.Zip(stored))
                if (isStored || turns.Count == 1)
                    turn.Stored.TrySetResult(isStored);
        }
        catch (Exception e) when (turns.Count == 1)
        {
            turns[0].Stored.TrySetException(e);
        }
        catch (Exception)
        {
            // The transaction stored nothing. What failed fails again below, for its own turn alone.
        }

        // These were locked, or lost, or not stored because of another one.
        await Task.WhenAll(turns.Where(t => !t.Stored.Task.IsCompleted).Select(t => StoreAsync([t])));
    }

    /// <summary>A batch without BEGIN is one transaction and one round trip.</summary>
    private static async Task<bool[]> ExecuteAsync(NpgsqlConnection connection, List<EndedTurn> turns, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection);
        var slot = TokenBudget.NewSlot();
        turns.ForEach(t => batch.BatchCommands.Add(CommandOf(t, slot, turns.Count == 1 ? Sql : SqlUnlessLocked)));
        await using var rows = await batch.ExecuteReaderAsync(cancellationToken);
        var stored = new bool[turns.Count];
        for (var i = 0; i < stored.Length; i++)
        {
            await rows.ReadAsync(cancellationToken);
            stored[i] = rows.GetBoolean(0);
            await rows.NextResultAsync(cancellationToken);
        }

        return stored;
    }

    private static NpgsqlBatchCommand CommandOf(EndedTurn ended, short slot, string sql)
    {
        var (turn, answer) = (ended.Turn, ended.Answer);
        return new(sql)
        {
            Parameters =
            {
                Uuid("Id", turn.Id), Integer("Attempt", turn.Attempt), Text("State", ended.State), Uuid("MessageId", ended.MessageId), Text("Role", ended.Role),
                Text("Content", ended.Content), Text("Citations", ended.Citations), Text("Response", ended.Response), Text("Error", ended.Error),
                // Insights count it: an answer that was stopped says nothing about the book.
                Text("Grounding", answer is null or { IsStopped: true } ? null : TurnJson.Name(answer.Grounding)), Text("Model", answer?.Model),
                Integer("InputTokens", ended.Usage.InputTokens), Integer("OutputTokens", ended.Usage.OutputTokens), Integer("LatencyMs", ended.Usage.LatencyMs),
                new NpgsqlParameter<long>("Tokens", ended.Tokens), Text("Day", turn.Account?.Day), Text("Client", turn.Account?.Client),
                new NpgsqlParameter<short>("Slot", slot),
            },
        };

        static NpgsqlParameter Uuid(string name, Guid value) => new NpgsqlParameter<Guid>(name, value);
        static NpgsqlParameter Text(string name, string? value) => new(name, NpgsqlDbType.Text) { Value = (object?)value ?? DBNull.Value };
        static NpgsqlParameter Integer(string name, int? value) => new(name, NpgsqlDbType.Integer) { Value = (object?)value ?? DBNull.Value };
    }

    private const string Before =
        """
        with ended as (
            update turns
            set state = @State::turn_state, response = @Response::json, error = @Error::json, grounding = @Grounding, model = @Model,
                input_tokens = @InputTokens, output_tokens = @OutputTokens, latency_ms = @LatencyMs,
                ended_at = now(), lease_until = null, partial_sources = null, partial_text = default,
                token_client = null
            where
        """ + " ";

    // The message's id tells a retry after a lost reply from a turn that another process ended.
    private const string After =
        """

            returning id, session_id, number, counted_tokens
        ),
        used as (
            select @Tokens - counted_tokens as tokens from ended
        ),
        counted as (
        """ + TokenBudget.AddToOne + """

        ),
        answer as (
            insert into messages (id, session_id, turn_id, position, role, content, citations)
            select @MessageId, session_id, id, number * 2, @Role::message_role, @Content, @Citations::json
            from ended
            on conflict (session_id, position) do update
            set id = excluded.id, role = excluded.role, content = excluded.content, citations = excluded.citations, created_at = now()
            returning id
        )
        select exists (select from answer) or exists (select from messages where id = @MessageId)
        """;

    private const string Running = "id = @Id and attempt = @Attempt and state = 'running'";

    private const string Sql = Before + Running + After;

    private const string SqlUnlessLocked = Before + "id = (select id from turns where " + Running + " for no key update skip locked)" + After;

    private sealed record EndedTurn(
        ClaimedTurn Turn, string State, Guid MessageId, string Role, string Content, string Citations, string? Response, string? Error, ChatResponse? Answer,
        Usage Usage, long Tokens, CancellationToken Dropped)
    {
        public Activity? Activity { get; } = Activity.Current;

        /// <summary>False if the attempt had lost the turn.</summary>
        public TaskCompletionSource<bool> Stored { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
