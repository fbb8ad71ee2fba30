using ChatBackend.Features.Chat.Sessions;
using ChatBackend.Features.Chat.Turns;
using Dapper;

namespace ChatBackend.Tests.Features.Chat.Turns;

public sealed class ConversationSqlTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Theory]
    [InlineData("select" + ConversationSql.Columns + " from turns as turn where turn.id = @Id")]
    [InlineData("select question.content from chat_sessions as s " + SessionResponse.FirstQuestion + " where s.id = @Id")]
    public async Task A_conversation_is_read_without_the_turns_of_others_also_before_there_are_statistics(string sql)
    {
        await using var database = await app.OpenDatabaseAsync();
        await database.ExecuteAsync(
            """
            alter table turns set (autovacuum_enabled = off);
            alter table messages set (autovacuum_enabled = off);
            with asked as (select gen_random_uuid() as id, gen_random_uuid() as session_id from generate_series(1, 2000)),
            session as (insert into chat_sessions (id, turn_count) select session_id, 1 from asked),
            turn as (insert into turns (id, session_id, number, state, request, ended_at) select id, session_id, 1, 'completed', '{}', now() from asked)
            insert into messages (id, session_id, turn_id, position, role, content)
            select gen_random_uuid(), session_id, id, 1, 'user', repeat('What is a node? ', 20) from asked
            """);

        var plan = string.Join('\n', await database.QueryAsync<string>($"explain {sql}", new { Id = Guid.NewGuid(), UserId = "", HistoryLimit = 9 }));

        Assert.Contains(" on messages", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
    }
}
