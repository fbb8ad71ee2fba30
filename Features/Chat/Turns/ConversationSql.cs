using System.Text.Json;
using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>The two columns that a turn's prompt needs, for a select from a relation named <c>turn</c> (session_id, number).</summary>
internal static class ConversationSql
{
    /// <summary>
    /// The messages before the turn, of completed turns only, at most <c>@HistoryLimit</c>, oldest first, and <c>@UserId</c>'s profile.
    /// The question of a failed turn is left out: the model would answer it beside the reader's.
    /// </summary>
    public const string Columns =
        """

            (
                select coalesce(json_agg(json_build_object('role', recent.role, 'content', recent.content, 'is_cut', recent.is_cut) order by recent.position), '[]')::text
                from (
                    select m.position, m.role, m.content, m.role = 'assistant' and coalesce((t.response ->> 'incomplete')::boolean, false) as is_cut
                    from messages as m
                    join turns as t on t.id = m.turn_id
                    where m.session_id = turn.session_id and m.position < turn.number * 2 - 1
                      and t.state = 'completed'
                    order by m.position desc
                    limit @HistoryLimit
                ) as recent
            ) as history,
            (
                select json_build_object(
                    'display_name', p.display_name, 'preferred_language', p.preferred_language,
                    'software_experience', p.software_experience, 'hardware_experience', p.hardware_experience,
                    'interests', p.interests, 'learning_goals', p.learning_goals)::text
                from profiles as p
                where p.user_id = @UserId
            ) as profile
        """;

    public static Conversation Read(string history, string? profile) => new(
        JsonSerializer.Deserialize<List<HistoryMessage>>(history, TurnJson.Options)!,
        profile is null ? null : TurnJson.Read<ReaderProfile>(profile));
}
