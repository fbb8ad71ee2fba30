using System.Threading.Channels;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Limits;
using Npgsql;
using NpgsqlTypes;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Ends a turn once. An attempt that lost the turn to a later one changes nothing.</summary>
/// <remarks>Turns that end while a transaction is on its way end together in the next one: one round trip and one commit for all.</remarks>
internal sealed class EndTurn : IDisposable
{
    private const int Most = 16;

    /// <summary>A transaction that takes longer (it waits for a lock, say) holds up nobody: the next one begins.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);

    private readonly Channel<EndedTurn> _ended = Channel.CreateUnbounded<EndedTurn>(new() { SingleReader = true });
    private readonly NpgsqlDataSource _database;

    public EndTurn(NpgsqlDataSource database)
    {
        _database = database;
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
        return turn.Stored.WaitAsync(cancellationToken);
    }

    private async Task StoreAllAsync()
    {
        while (await _ended.Reader.WaitToReadAsync())
        {
            var together = new List<EndedTurn>();
            while (together.Count < Most && _ended.Reader.TryRead(out var turn))
                together.Add(turn);
            await Task.WhenAny(StoreAsync(together), Task.Delay(Patience));
        }
    }

    private async Task StoreAsync(List<EndedTurn> turns)
    {
        try
        {
            // Whoever changes several turns locks them in the order of their ids, and does not wait for the other.
            turns.Sort((a, b) => a.Turn.Id.CompareTo(b.Turn.Id));
            var stored = await _database.RetryAsync(connection => StoreAsync(connection, turns), CancellationToken.None);
            foreach (var (turn, isStored) in turns.Zip(stored))
                turn.SetStored(isStored);
        }
        catch (Exception e) when (turns.Count == 1 || e.IsDatabaseUnavailable())
        {
            turns.ForEach(t => t.SetFailed(e));
        }
        catch (Exception)
        {
            // The conversation of one was deleted just now, say. Nothing of the others was stored, so each is stored by itself.
            await Task.WhenAll(turns.Select(t => StoreAsync([t])));
        }
    }

    /// <summary>A batch without BEGIN is one transaction and one round trip.</summary>
    private static async Task<bool[]> StoreAsync(NpgsqlConnection connection, List<EndedTurn> turns)
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
        private readonly TaskCompletionSource<bool> _stored = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>False if the attempt had lost the turn.</summary>
        public Task<bool> Stored => _stored.Task;

        public void SetStored(bool isStored) => _stored.TrySetResult(isStored);

        public void SetFailed(Exception exception) => _stored.TrySetException(exception);
    }
}
