using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Who works on which turn: waiting for a turn's time, keeping it, and taking over from processes that died.</summary>
internal static class ClaimTurns
{
    /// <summary>The context of a turn whose predecessor has ended, or null while it has to wait.</summary>
    public static async Task<Conversation?> TryBeginAsync(NpgsqlDataSource database, ClaimedTurn turn, CancellationToken cancellationToken)
    {
        var row = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<ContextRow>(new(
                Sql, new { turn.Id, turn.UserId, HistoryLimit = AnsweringOptions.HistoryMessages - 1 }, cancellationToken: cancellationToken)),
            cancellationToken);
        return row is null ? null : ConversationSql.Read(row.History, row.Profile);
    }

    private const string Sql =
        "select" + ConversationSql.Columns +
        """

        from turns as turn
        where turn.id = @Id
          and not exists (
              select from turns as previous
              where previous.session_id = turn.session_id and previous.number = turn.number - 1 and previous.state = 'running'
          )
        """;

    /// <summary>
    /// Renews the leases of this process's turns and adds what they have written since, for readers elsewhere.
    /// </summary>
    /// <returns>
    /// The turns that are still this process's, with the length of their saved text in UTF-16 code units; the others were taken
    /// over, ended or deleted.
    /// </returns>
    public static async Task<IReadOnlyDictionary<Guid, int>> RenewAsync(
        NpgsqlDataSource database, Guid process, TimeSpan lease, IReadOnlyList<(Guid Id, int Attempt, TurnPartial New)> turns, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        // Of the text only what is not there: a beat whose reply was lost sends it again.
        var kept = await connection.QueryAsync<(Guid Id, int Saved)>(new(
            """
            update turns
            set lease_until = now() + @lease,
                partial_sources = coalesce(mine.sources::json, turns.partial_sources),
                partial_text = case
                    when octet_length(turns.partial_text) between mine.start and mine.start + octet_length(mine.text) - 1
                    then turns.partial_text || substring(mine.text from octet_length(turns.partial_text) - mine.start + 1)
                    else turns.partial_text
                end
            from unnest(@Ids, @Attempts, @Sources, @Starts, @Texts) as mine (id, attempt, sources, start, text)
            where turns.id = mine.id and turns.attempt = mine.attempt and turns.lease_owner = @process and turns.state = 'running'
            returning turns.id, octet_length(turns.partial_text) / 2 as saved
            """,
            new
            {
                lease,
                process,
                Ids = turns.Select(t => t.Id).ToArray(),
                Attempts = turns.Select(t => t.Attempt).ToArray(),
                Sources = turns.Select(t => t.New.Sources is { } sources ? TurnJson.Write(sources) : null).ToArray(),
                Starts = turns.Select(t => t.New.Start * 2).ToArray(),
                Texts = turns.Select(t => Encoding.Unicode.GetBytes(t.New.Text)).ToArray(),
            },
            cancellationToken: cancellationToken));
        return kept.ToDictionary(t => t.Id, t => t.Saved);
    }

    /// <summary>
    /// Takes over turns whose process was not heard of for a whole lease; each goes to one process only. One that was handed on has
    /// no owner: no process died with it.
    /// </summary>
    public static async Task<IReadOnlyList<ClaimedTurn>> TakeOverAsync(
        NpgsqlDataSource database, Guid process, TimeSpan lease, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<TakenRow>(new(
            """
            with left_behind as (
                select id from turns
                where state = 'running' and lease_until < now()
                order by created_at, number
                limit @limit
                for update skip locked
            )
            update turns
            set attempt = attempt + 1, takeovers = takeovers + (lease_owner is not null)::integer, lease_owner = @process, lease_until = now() + @lease, partial_sources = null, partial_text = default
            from left_behind, chat_sessions
            where turns.id = left_behind.id and chat_sessions.id = turns.session_id
            returning turns.id, turns.session_id, turns.number, turns.attempt, turns.takeovers, chat_sessions.user_id, turns.request::text as request
            """,
            new { process, lease, limit }, cancellationToken: cancellationToken));
        return [.. rows.Select(r => new ClaimedTurn(r.Id, r.SessionId, r.Number, r.Attempt, r.UserId, TurnJson.Read<Question>(r.Request), r.Takeovers))];
    }

    /// <summary>
    /// Gives turns back at once, so that another process need not wait for the lease to lapse. They have no owner then: a
    /// renewal that was under way and lands after this finds nothing to renew.
    /// </summary>
    public static async Task ReleaseAsync(NpgsqlDataSource database, Guid process, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new(
            "update turns set lease_owner = null, lease_until = now() - interval '1 second' where lease_owner = @process and state = 'running'",
            new { process }, cancellationToken: cancellationToken));
    }

    private sealed record ContextRow(string History, string? Profile);

    private sealed record TakenRow(Guid Id, Guid SessionId, int Number, int Attempt, int Takeovers, string? UserId, string Request);
}
