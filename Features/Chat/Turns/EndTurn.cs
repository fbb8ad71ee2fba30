using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Limits;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Ends a turn once. An attempt that lost the turn to a later one changes nothing.</summary>
internal static class EndTurn
{
    /// <summary>With the whole answer or, if its reader stopped it, with what was written so far.</summary>
    /// <param name="json">The response, as its readers get it.</param>
    public static Task<bool> CompleteAsync(
        NpgsqlDataSource database, ClaimedTurn turn, ChatResponse response, string json, long tokens, CancellationToken cancellationToken) =>
        RunAsync(
            database, turn, response.IsStopped ? "stopped" : "completed", response.MessageId, "assistant", response.Response, TurnJson.Write(response.Citations),
            json, error: null, response, response.Usage, tokens, cancellationToken);

    public static Task<bool> FailAsync(
        NpgsqlDataSource database, ClaimedTurn turn, TurnFailure failure, int latencyMs, long tokens, CancellationToken cancellationToken) =>
        RunAsync(
            database, turn, "failed", Guid.NewGuid(), "system", $"This question was not answered ({failure.Code}).", "[]",
            response: null, TurnJson.Write(failure), answer: null, new(null, null, latencyMs), tokens, cancellationToken);

    private static async Task<bool> RunAsync(
        NpgsqlDataSource database, ClaimedTurn turn, string state, Guid messageId, string role, string content, string citations,
        string? response, string? error, ChatResponse? answer, Usage usage, long tokens, CancellationToken cancellationToken)
    {
        var parameters = new
        {
            turn.Id,
            turn.Attempt,
            State = state,
            MessageId = messageId,
            Role = role,
            Content = content,
            Citations = citations,
            Response = response,
            Error = error,
            // Insights count it: an answer that was stopped says nothing about the book.
            Grounding = answer is null or { IsStopped: true } ? null : TurnJson.Name(answer.Grounding),
            answer?.Model,
            usage.InputTokens,
            usage.OutputTokens,
            usage.LatencyMs,
            Tokens = tokens,
            turn.Account?.Day,
            turn.Account?.Client,
            Slot = TokenBudget.NewSlot(),
        };

        // The message's id tells a retry after a lost reply from a turn that another process ended.
        return await database.RetryAsync(
            connection => connection.ExecuteScalarAsync<bool>(new(
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
                    select @Day::date as day, @Client as client, @Tokens - counted_tokens as tokens from ended
                ),
                counted as (
                """ + TokenBudget.Add + """

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
                """,
                parameters, cancellationToken: cancellationToken)),
            cancellationToken);
    }
}
