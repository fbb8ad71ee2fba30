using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Infrastructure.Conversations;

/// <summary>Deletes conversations with all that belongs to them. What insights count stays as numbers by the hour, without texts and ids.</summary>
internal static class DeletedConversations
{
    /// <param name="which">A condition on <c>chat_sessions as s</c>.</param>
    /// <returns>Two statements, for one transaction. They may be repeated: what they count is what they have deleted themselves.</returns>
    // The sessions are locked first, as by whoever opens, claims or regenerates: in another order two would wait for each other. After the lock
    // nobody adds a turn, so all are counted. The lock lets EndTurn, which has locked a turn, refer to the session. A turn that is running is
    // deleted like the others, so its owner finds no row to write to. Messages, feedback and keys go with the turns and the sessions.
    public static string Delete(string which) =>
        $"""
        select from chat_sessions as s where {which} order by s.id for no key update;
        with gone as (
            delete from turns as t
            using chat_sessions as s
            where s.id = t.session_id and {which}
            returning t.session_id, t.number, t.created_at, t.state, t.grounding, t.model, t.input_tokens, t.output_tokens
        ),
        counted as (
            insert into deleted_turns as d (hour, completed, failed, stopped, grounded, partial, none, up, down, input_tokens, output_tokens)
            select
                date_trunc('hour', gone.created_at, 'UTC'),
                count(*) filter (where state = 'completed'),
                count(*) filter (where state = 'failed'),
                count(*) filter (where state = 'stopped'),
                count(*) filter (where grounding = 'grounded'),
                count(*) filter (where grounding = 'partial'),
                count(*) filter (where grounding = 'none' and model is distinct from '{ModelNames.SmallTalk}'),
                count(*) filter (where f.rating = 'up'),
                count(*) filter (where f.rating = 'down'),
                coalesce(sum(input_tokens), 0),
                coalesce(sum(output_tokens), 0)
            from gone
            left join messages as m on m.session_id = gone.session_id and m.position = gone.number * 2
            left join message_feedback as f on f.message_id = m.id
            where state <> 'running'
            group by 1
            on conflict (hour) do update
            set completed = d.completed + excluded.completed, failed = d.failed + excluded.failed, stopped = d.stopped + excluded.stopped,
                grounded = d.grounded + excluded.grounded, partial = d.partial + excluded.partial, none = d.none + excluded.none,
                up = d.up + excluded.up, down = d.down + excluded.down,
                input_tokens = d.input_tokens + excluded.input_tokens, output_tokens = d.output_tokens + excluded.output_tokens
        )
        delete from chat_sessions as s where {which}
        """;
}
