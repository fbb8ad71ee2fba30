using System.Threading.Channels;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Limits;
using Npgsql;
using NpgsqlTypes;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Ends turns, each of them once. An attempt that lost its turn to a later one changes nothing.</summary>
/// <remarks>While a transaction runs, the turns that end are collected. They end together in the next one: one round trip and one commit for all.</remarks>
internal sealed class EndTurn : IDisposable
{
    /// <summary>The most turns of one transaction.</summary>
    private const int Most = 16;

    /// <summary>A transaction that takes longer, because it waits for a lock for example, delays only its own turns: the next one begins.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);

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
            json, Error: null, response, response.Usage, tokens),
        cancellationToken);

    public Task<bool> FailAsync(ClaimedTurn turn, TurnFailure failure, int latencyMs, long tokens, CancellationToken cancellationToken) => RunAsync(
        new(turn, "failed", Guid.CreateVersion7(), "system", $"This question was not answered ({failure.Code}).", "[]",
            Response: null, TurnJson.Write(failure), Answer: null, new(null, null, latencyMs), tokens),
        cancellationToken);

    private Task<bool> RunAsync(EndedTurn turn, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(!_ended.Writer.TryWrite(turn), this);
        return turn.Stored.Task.WaitAsync(cancellationToken);
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
        try
        {
            // Turns are locked in the order of their ids, as in TurnLeases and where conversations are deleted. In another order two would wait for each other.
            turns.Sort((a, b) => a.Turn.Id.CompareTo(b.Turn.Id));
            var stored = await _database.RetryAsync(connection => ExecuteAsync(connection, turns), CancellationToken.None);
            foreach (var (turn, isStored) in turns.Zip(stored))
                turn.Stored.TrySetResult(isStored);
        }
        catch (Exception e) when (turns.Count == 1 || e.IsDatabaseUnavailable())
        {
            turns.ForEach(t => t.Stored.TrySetException(e));
        }
        catch (Exception)
        {
            // One of them failed. The transaction stored nothing, so each turn is stored by itself.
            await Task.WhenAll(turns.Select(t => StoreAsync([t])));
        }
    }

    /// <summary>A batch without BEGIN is one transaction and one round trip.</summary>
    private static async Task<bool[]> ExecuteAsync(NpgsqlConnection connection, List<EndedTurn> turns)
    {
        await using var batch = new NpgsqlBatch(connection);
        var slot = TokenBudget.NewSlot();
        turns.ForEach(t => batch.BatchCommands.Add(CommandOf(t, slot)));
        await using var rows = await batch.ExecuteReaderAsync();
        var stored = new bool[turns.Count];
        for (var i = 0; i < stored.Length; i++)
        {
            await rows.ReadAsync();
            stored[i] = rows.GetBoolean(0);
            await rows.NextResultAsync();
        }

        return stored;
    }

    private static NpgsqlBatchCommand CommandOf(EndedTurn ended, short slot)
    {
        var (turn, answer) = (ended.Turn, ended.Answer);
        return new(Sql)
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

    // The message's id tells a retry after a lost reply from a turn that another process ended.
    private const string Sql =
        """
        with ended as (
            update turns
            set state = @State::turn_state, response = @Response::json, error = @Error::json, grounding = @Grounding, model = @Model,
                input_tokens = @InputTokens, output_tokens = @OutputTokens, latency_ms = @LatencyMs,
                ended_at = now(), lease_until = null, partial_sources = null, partial_text = default,
                token_client = null
            where id = @Id and attempt = @Attempt and state = 'running'
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

    private sealed record EndedTurn(
        ClaimedTurn Turn, string State, Guid MessageId, string Role, string Content, string Citations, string? Response, string? Error, ChatResponse? Answer,
        Usage Usage, long Tokens)
    {
        /// <summary>False if the attempt had lost the turn.</summary>
        public TaskCompletionSource<bool> Stored { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
