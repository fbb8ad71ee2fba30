using System.Text.Json;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Two columns for a select from a relation named <c>turn</c> (session_id, number).</summary>
internal static class ConversationSql
{
    /// <summary>The history and the reader's profile.</summary>
    public const string Columns = History + "," + Profile;

    /// <summary>Leaves out questions without an answer (failed, or stopped before the first word), because the model would answer them too. The session of the
    /// turns is named although their ids suffice: before PostgreSQL has statistics it expects few completed turns, and would begin with those of all sessions.</summary>
    private const string History =
        """

            (
                select coalesce(json_agg(json_build_object('role', recent.role, 'content', recent.content, 'is_cut', recent.is_cut) order by recent.position), '[]')::text
                from (
                    select m.position, m.role, m.content, m.role = 'assistant' and coalesce((t.response ->> 'incomplete')::boolean, false) as is_cut
                    from messages as m
                    join turns as t on t.id = m.turn_id and t.session_id = m.session_id
                    where turn.number > 1 and m.session_id = turn.session_id and m.position < turn.number * 2 - 1 and t.superseded_by is null
                      and (t.state = 'completed' or (t.state = 'stopped' and t.response ->> 'response' <> ''))
                    order by m.position desc
                    limit @HistoryLimit
                ) as recent
            ) as history
        """;

    /// <summary>The reader's profile. A new session needs only this column.</summary>
    public const string Profile =
        """

            (
                select json_build_object(
                    'preferred_language', p.preferred_language,
                    'software_experience', p.software_experience, 'hardware_experience', p.hardware_experience,
                    'interests', p.interests, 'learning_goals', p.learning_goals)::text
                from profiles as p
                where p.user_id = @UserId
            ) as profile
        """;

    public static async Task<Conversation?> TryReadAsync(NpgsqlDataSource database, ClaimedTurn turn, CancellationToken cancellationToken)
    {
        var row = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<Row>(new(
                Sql, new { turn.Id, turn.UserId, HistoryLimit = Conversation.MaxMessages - 1 }, cancellationToken: cancellationToken)),
            cancellationToken);
        return row is null ? null : Read(row.History, row.Profile);
    }

    private const string Sql =
        "select" + Columns +
        """

        from turns as turn
        where turn.id = @Id
          and not exists (
              select from turns as previous
              where previous.session_id = turn.session_id and previous.number < turn.number and previous.state = 'running'
          )
        """;

    public static Conversation Read(string history, string? profile) => new(
        JsonSerializer.Deserialize<List<HistoryMessage>>(history, TurnJson.Options)!,
        profile is null ? null : TurnJson.Read<ReaderProfile>(profile));

    private sealed record Row(string History, string? Profile);
}
