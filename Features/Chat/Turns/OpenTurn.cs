using System.Security.Cryptography;
using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Limits;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Chat.Turns;

internal abstract record TurnOpening
{
    public sealed record Claimed(ClaimedTurn Turn, Conversation? Conversation) : TurnOpening;

    /// <param name="IsStopping">True if its last follower has left: it ends with what is written so far. Ask again then.</param>
    public sealed record Repeated(Guid TurnId, Guid SessionId, bool IsStopping = false) : TurnOpening;

    public sealed record KeyReused : TurnOpening;

    public sealed record SessionNotFound : TurnOpening;

    /// <param name="Code">turn_running or turn_superseded.</param>
    public sealed record NoPlace(string Code, string Detail) : TurnOpening;

    /// <summary>Nothing was stored.</summary>
    public sealed record BudgetSpent : TurnOpening;
}

/// <summary>Two clients may choose the same key, so a key is unique only within its scope.</summary>
internal sealed record IdempotencyKey(string Scope, string Key)
{
    public static IdempotencyKey InSession(Guid sessionId, string key) => new($"session:{sessionId}", key);
}

/// <summary>What makes place for a turn that is not simply the next one. It runs first in the transaction that opens the turn.</summary>
/// <param name="Name">What an idempotency key stands for, instead of the question.</param>
/// <param name="MakeAsync">Takes the new turn's id. Returns why the turn cannot be opened, or null.</param>
internal sealed record TurnPlace(string Name, Func<NpgsqlConnection, Guid, Task<TurnOpening?>> MakeAsync);

/// <summary>Commits the question and its turn before the index or the model is asked.</summary>
internal static class OpenTurn
{
    /// <summary>The same key and body find the turn that they opened before. It starts again if it failed or its process died.</summary>
    /// <param name="isNewSession">True if the session's id was made for this question.</param>
    /// <param name="isFollowed">True if the client cannot come back for the answer: the turn also starts again if it was stopped, because the client of a
    /// stopped turn had left.</param>
    /// <param name="claimId">A new id of the request.</param>
    public static async Task<TurnOpening> RunAsync(
        NpgsqlDataSource database, TurnOptions options, Guid process, Guid sessionId, bool isNewSession, string? userId, Question question,
        IdempotencyKey? key, TokenBudget budget, TokenAccount account, TurnPlace? place, bool isFollowed, Guid claimId, CancellationToken cancellationToken)
    {
        var request = TurnJson.Write(question);
        var parameters = new
        {
            SessionId = sessionId,
            UserId = userId,
            TurnId = Guid.NewGuid(),
            ClaimId = claimId,
            MessageId = Guid.NewGuid(),
            question.Message,
            Request = request,
            key?.Scope,
            key?.Key,
            // What the client sent, so not a session id that was generated for it.
            Hash = SHA256.HashData(Encoding.UTF8.GetBytes(place?.Name ?? request)),
            Process = process,
            options.Lease,
            HistoryLimit = Conversation.MaxMessages - 1,
            account.Day,
            account.Client,
            budget.ServiceTokens,
            budget.ClientTokens,
            budget.HasFallback,
            IsFollowed = isFollowed,
        };

        try
        {
            // The ids are generated here, so a retry after a broken connection cannot open a second turn.
            var (opened, refusal) = await database.RetryAsync(
                connection => place is null ? OpenAsync(connection) : OpenInPlaceAsync(connection, place), cancellationToken);
            // A repeat of the request that took the place finds it taken.
            if (refusal is not null)
                return (key is null ? null : await RepeatAsync(database, parameters, userId, question, account, cancellationToken)) ?? refusal;
            // A turn that was opened before is answered all the same.
            if (opened is { Number: null, IsSpent: true } && !budget.HasFallback)
                return (key is null ? null : await RepeatAsync(database, parameters, userId, question, account, cancellationToken)) ?? new TurnOpening.BudgetSpent();
            if (opened?.Number is not { } number)
                return new TurnOpening.SessionNotFound();

            var turn = new ClaimedTurn(parameters.TurnId, sessionId, number, Attempt: 1, userId, question, account, opened.IsSpent);
            return new TurnOpening.Claimed(turn, opened.IsNext is true ? ConversationSql.Read(opened.History, opened.Profile) : null);
        }
        catch (PostgresException e) when (e.ConstraintName == "turns_idempotency_key")
        {
            // Null when the session was deleted in between, which frees the key.
            return await RepeatAsync(database, parameters, userId, question, account, cancellationToken)
                ?? await RunAsync(database, options, process, sessionId, isNewSession, userId, question, key, budget, account, place, isFollowed, claimId, cancellationToken);
        }
        catch (PostgresException e) when (e.ConstraintName == "turns_pkey")
        {
            // The first try was committed, but the reply was lost.
            return await ClaimOwnAsync(database, parameters.TurnId, sessionId, userId, question, account, cancellationToken);
        }

        async Task<(OpenedRow? Opened, TurnOpening? Refusal)> OpenAsync(NpgsqlConnection connection) =>
            (await connection.QuerySingleAsync<OpenedRow>(new(isNewSession ? SqlOfNewSession : Sql, parameters, cancellationToken: cancellationToken)), null);

        async Task<(OpenedRow? Opened, TurnOpening? Refusal)> OpenInPlaceAsync(NpgsqlConnection connection, TurnPlace place)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            if (await place.MakeAsync(connection, parameters.TurnId) is { } refusal)
                return (null, refusal);
            var opening = await OpenAsync(connection);
            // The session may have been claimed by another reader, or the budget may be spent: then the place stays as it was.
            if (opening.Opened is { Number: not null })
                await transaction.CommitAsync(cancellationToken);
            return opening;
        }
    }

    /// <summary>False for a turn that would ask the model again.</summary>
    public static Task<bool> IsKnownAsync(NpgsqlDataSource database, IdempotencyKey key, bool isFollowed, CancellationToken cancellationToken) => database.RetryAsync(
        connection => connection.ExecuteScalarAsync<bool>(new(
            """
            select exists (
                select from turns
                where idempotency_scope = @Scope and idempotency_key = @Key
                  and (superseded_by is not null or not (state = 'failed' or (@isFollowed and (state = 'stopped' or stop_requested_at is not null))))
            )
            """,
            new { key.Scope, key.Key, isFollowed }, cancellationToken: cancellationToken)),
        cancellationToken);

    // The update locks the row of the session, so turns are numbered in the order of asking. A retry after a lost reply finds its turn by the
    // conflict of the ids, also if the budget was spent since.
    private const string Opening =
        """
        with budget as materialized (
            select
        """ + TokenBudget.IsSpent +
        """
             as is_spent
        ),
        session as (
            insert into chat_sessions as s (id, user_id, turn_count)
            select @SessionId, @UserId, 1
            from budget
            where @HasFallback or not is_spent or exists (select from turns where id = @TurnId)
            on conflict (id) do update set turn_count = s.turn_count + 1, updated_at = now()
                where s.user_id is null or s.user_id = @UserId
            returning id, turn_count
        ),
        turn as (
            insert into turns (id, session_id, number, request, idempotency_scope, idempotency_key, request_hash, lease_owner, lease_until,
                followers, token_day, token_client, is_offline)
            select @TurnId, id, turn_count, @Request::json, @Scope, @Key, @Hash, @Process, now() + @Lease, array[@ClaimId], @Day::date, @Client, is_spent
            from session, budget
            returning id, session_id, number
        ),
        question as (
            insert into messages (id, session_id, turn_id, position, role, content)
            select @MessageId, session_id, id, number * 2 - 1, 'user', @Message
            from turn
        )
        select
            budget.is_spent,
            turn.number,
        """;

    private const string From = " from budget left join turn on true";

    // The snapshot may be older than the lock: is_next is then false, and the conversation is read when the turns before have ended. All of them
    // count, because a turn that is stopped while it waits ends before the one that it waited for.
    private const string Sql =
        Opening +
        """

            turn.number = 1 or (
                exists (select from turns as previous where previous.session_id = turn.session_id and previous.number = turn.number - 1)
                and not exists (
                    select from turns as previous
                    where previous.session_id = turn.session_id and previous.number < turn.number and previous.state = 'running'
                )
            ) as is_next,
        """ + ConversationSql.Columns + From;

    // A new session has no history. PostgreSQL would still set up the subquery that reads one, for each question.
    private const string SqlOfNewSession = Opening + " true as is_next, '[]' as history," + ConversationSql.Profile + From;

    private static async Task<TurnOpening?> RepeatAsync(
        NpgsqlDataSource database, object parameters, string? userId, Question question, TokenAccount account, CancellationToken cancellationToken)
    {
        var repeated = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<RepeatedRow>(new(
                """
                with earlier as (
                    select t.id, t.session_id, t.number, t.request_hash = @Hash as is_same, t.state, t.claim_id, t.attempt, t.takeovers, t.is_offline,
                           t.superseded_by is null and (t.state = 'failed' or (t.state = 'stopped' and @IsFollowed)) as is_restarted,
                           t.superseded_by is null and @IsFollowed and t.state <> 'completed' as is_followed,
                           coalesce(s.user_id is null or s.user_id = @UserId, false) as is_own
                    from turns as t
                    join chat_sessions as s on s.id = t.session_id
                    where t.idempotency_scope = @Scope and t.idempotency_key = @Key
                ),
                budget as materialized (
                    select
                """ + TokenBudget.IsSpent +
                """
                     as is_spent
                ),
                taken as (
                    update turns
                    set state = 'running', ended_at = null, error = null, response = null, grounding = null, partial_sources = null, partial_text = default,
                        stop_requested_at = null, followers = case turns.state when 'running' then turns.followers else '{}' end || @ClaimId,
                        attempt = turns.attempt + 1, takeovers = case turns.state when 'running' then turns.takeovers + (turns.lease_owner is not null)::integer else 0 end,
                        claim_id = @ClaimId, lease_owner = @Process, lease_until = now() + @Lease,
                        token_day = @Day::date, token_client = @Client, counted_tokens = 0,
                        is_offline = case turns.state when 'running' then turns.is_offline else budget.is_spent end
                    from earlier, budget
                    where turns.id = earlier.id and earlier.is_same and earlier.is_own and turns.superseded_by is null
                      and (((turns.state = 'failed' or (turns.state = 'stopped' and @IsFollowed)) and (@HasFallback or not budget.is_spent))
                          or (turns.state = 'running' and turns.lease_until < now() and turns.stop_requested_at is null))
                    returning turns.id, turns.attempt, turns.takeovers, turns.is_offline
                ),
                cut as (
                    delete from messages using taken, earlier
                    where earlier.state = 'stopped' and messages.session_id = earlier.session_id and messages.turn_id = taken.id and messages.role = 'assistant'
                ),
                joined as (
                    update turns set followers = array_remove(turns.followers, @ClaimId) || @ClaimId
                    from earlier
                    where turns.id = earlier.id and earlier.is_same and earlier.is_own and @IsFollowed
                      and turns.state = 'running' and turns.lease_until >= now() and turns.stop_requested_at is null
                    returning turns.id
                )
                select
                    earlier.id, earlier.session_id, earlier.number, earlier.is_same, earlier.is_own, mine.attempt, mine.takeovers, mine.is_offline,
                    earlier.is_restarted and budget.is_spent and not @HasFallback as is_spent,
                    earlier.is_followed and not exists (select from joined) as is_stopping
                from budget, earlier
                left join (
                    select attempt, takeovers, is_offline from taken
                    union all
                    select attempt, takeovers, is_offline from earlier where claim_id = @ClaimId and state = 'running' and not exists (select from taken)
                ) as mine on true
                """,
                parameters, cancellationToken: cancellationToken)),
            cancellationToken);

        return repeated switch
        {
            null => null,
            // The session was claimed by a reader since.
            { IsOwn: false } => new TurnOpening.SessionNotFound(),
            { IsSame: false } => new TurnOpening.KeyReused(),
            { Attempt: { } attempt } => new TurnOpening.Claimed(
                new(repeated.Id, repeated.SessionId, repeated.Number, attempt, userId, question, account, repeated.IsOffline ?? false, repeated.Takeovers ?? 0),
                Conversation: null),
            { IsSpent: true } => new TurnOpening.BudgetSpent(),
            _ => new TurnOpening.Repeated(repeated.Id, repeated.SessionId, repeated.IsStopping),
        };
    }

    private static async Task<TurnOpening> ClaimOwnAsync(
        NpgsqlDataSource database, Guid turnId, Guid sessionId, string? userId, Question question, TokenAccount account, CancellationToken cancellationToken)
    {
        var (number, isOffline) = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<(int, bool)>(new(
                "select number, is_offline from turns where id = @turnId", new { turnId }, cancellationToken: cancellationToken)),
            cancellationToken);
        // The conversation may have been deleted since.
        return number == 0
            ? new TurnOpening.SessionNotFound()
            : new TurnOpening.Claimed(new(turnId, sessionId, number, Attempt: 1, userId, question, account, isOffline), Conversation: null);
    }

    private sealed record OpenedRow(bool IsSpent, int? Number, bool? IsNext, string History, string? Profile);

    private sealed record RepeatedRow(Guid Id, Guid SessionId, int Number, bool IsSame, bool IsOwn, int? Attempt, int? Takeovers, bool? IsOffline, bool IsSpent, bool IsStopping);
}
