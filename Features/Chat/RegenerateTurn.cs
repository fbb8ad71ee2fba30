using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Chat;

internal static class RegenerateTurn
{
    private const string IsRunning = "turn_running";
    private const string IsSuperseded = "turn_superseded";

    public static void MapRegenerateTurn(this IEndpointRouteBuilder chat) => chat
        .MapPost("/turns/{id}/regenerate", HandleAsync)
        .WithName(nameof(RegenerateTurn))
        .FailsWith(StatusCodes.Status400BadRequest, "invalid_request", $"idempotency-key must be 1 to {IdempotencyHeader.MaxLength} visible ASCII characters.")
        .FailsWith(StatusCodes.Status404NotFound, "turn_not_found")
        .FailsWith(StatusCodes.Status409Conflict, IsRunning)
        .FailsWith(StatusCodes.Status409Conflict, IsSuperseded)
        .FailsWith(StatusCodes.Status422UnprocessableEntity, "idempotency_key_reused")
        .FailsWhenLimited()
        .FailsWhenSpent();

    /// <summary>Ask a turn's question again.</summary>
    /// <remarks>
    /// A new turn asks the same message, selected text and page, and is answered as by `POST /chat`, as JSON or as a stream. The old turn and those
    /// after it are superseded: they stay stored, and are in no prompt and no list of messages.
    /// </remarks>
    /// <param name="id">The turn's id. It must have ended, and all turns after it.</param>
    /// <response code="200">The new turn's answer, with the passages that it cites.</response>
    /// <response code="400">The key is not valid.</response>
    /// <response code="404">There is no such turn, or it belongs to another reader.</response>
    /// <response code="409">`turn_running`: the turn, or one after it, is running; stop it first. `turn_superseded`: it was replaced before, by the turn in its superseded_by.</response>
    /// <response code="422">The key was used before in this session, for something else.</response>
    /// <response code="429">Too many questions from this client, or the tokens for today are used up; Retry-After says when to retry. A repeated key whose turn is running or answered is served all the same.</response>
    /// <response code="500">The model failed or timed out; the new turn is stored as failed.</response>
    /// <response code="503">The database or the model is unavailable.</response>
    internal static async Task<Results<TurnResult, ServerSentEvents, ProblemHttpResult>> HandleAsync(
        string id,
        [FromHeader(Name = IdempotencyHeader.Name), StringLength(IdempotencyHeader.MaxLength, MinimumLength = 1), System.ComponentModel.Description("A repeated request with the same key gets the same new turn. Keys are unique within the session.")] string? idempotencyKey,
        CurrentReader reader,
        HttpContext context,
        NpgsqlDataSource database,
        TurnOpener opener,
        TurnAnswers answers,
        CancellationToken cancellationToken) => await answers.AnswerAsync(
            KeyId.TryParse(id, out var turnId) ? await OpenAsync(turnId, idempotencyKey, reader, context, database, opener, cancellationToken) : NotFound(),
            context, cancellationToken);

    /// <summary>For every door: opens the new turn.</summary>
    /// <param name="edited">The question to ask instead; null for the same one.</param>
    internal static async Task<OpenedTurn> OpenAsync(
        Guid turnId, string? idempotencyKey, CurrentReader reader, HttpContext context, NpgsqlDataSource database, TurnOpener opener,
        CancellationToken cancellationToken, Question? edited = null)
    {
        var old = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<Row>(new(
                """
                select t.session_id, t.request::text as request
                from turns as t
                join chat_sessions as s on s.id = t.session_id
                where t.id = @turnId and (s.user_id is null or s.user_id = @Subject)
                """,
                new { turnId, reader.Subject }, cancellationToken: cancellationToken)),
            cancellationToken);
        if (old is null)
            return NotFound();
        var key = idempotencyKey is null ? null : IdempotencyHeader.Read(idempotencyKey);
        if (key is null && idempotencyKey is not null)
            return IdempotencyHeader.Invalid();

        var place = new TurnPlace(edited is null ? $"regenerate {turnId}" : TurnJson.Write(edited), (connection, newId) => SupersedeAsync(connection, old.SessionId, turnId, newId));
        var turn = await opener.OpenAsync(
            edited ?? TurnJson.Read<Question>(old.Request), old.SessionId, key is null ? null : IdempotencyKey.InSession(old.SessionId, key), place,
            reader, context, cancellationToken);
        // The session was claimed by another reader, or deleted, in between.
        return turn.Refusal is { StatusCode: StatusCodes.Status404NotFound } ? NotFound() : turn;
    }

    /// <summary>For doors whose clients name a message: an edited question is asked in the place of its turn and of those after it. The same question
    /// is asked again if <paramref name="isAgain"/> or if it failed; otherwise it is the turn that it was.</summary>
    /// <param name="ids">What the client calls the question or the answer, where these are ids of ours: a turn's or a message's.</param>
    /// <param name="key">The question's key.</param>
    /// <returns>Null if there is no such message.</returns>
    internal static async Task<OpenedTurn?> ReplaceAsync(
        Guid sessionId, IEnumerable<string?> ids, string? key, Question question, bool isAgain, CurrentReader reader, HttpContext context,
        NpgsqlDataSource database, TurnOpener opener, CancellationToken cancellationToken)
    {
        if (await FindAsync(sessionId, reader.Subject, ids, key, database, cancellationToken) is not { } before)
            return null;
        var asked = TurnJson.Read<Question>(before.Request);
        // The selected text and the page are not sent again with a message that is asked again.
        if (isAgain ? asked.Message == question.Message : asked == question)
            return isAgain || before.State == "failed" ? await OpenAsync(before.Id, null, reader, context, database, opener, cancellationToken) : new OpenedTurn(before.Id, sessionId);
        // The same for the same text in the same place, so that an edited question that is sent twice is asked once.
        var text = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(TurnJson.Write(question))).AsSpan(0, 16));
        return await OpenAsync(before.Id, $"edit-{before.Id}-{text}", reader, context, database, opener, cancellationToken, question);
    }

    /// <summary>Finds the turn of a question or an answer. If the question was asked again or edited since, it is the turn that replaced it. Every door uses this.</summary>
    internal static Task<FoundTurn?> FindAsync(
        Guid sessionId, string? subject, IEnumerable<string?> ids, string? questionKey, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        var key = IdempotencyKey.InSession(sessionId, questionKey ?? "");
        var known = ids.Select(id => KeyId.TryParse(id, out var parsed) ? parsed : default).ToArray();
        // A turn takes the place of the first of those that it supersedes.
        return database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<FoundTurn>(new(
                """
                with recursive asked as (
                    select t.id, t.number, t.superseded_by
                    from turns as t
                    join chat_sessions as s on s.id = t.session_id
                    where t.session_id = @sessionId and (s.user_id is null or s.user_id = @subject)
                      and (t.id = any(@known) or t.id in (select turn_id from messages where id = any(@known))
                          or (t.idempotency_scope = @Scope and t.idempotency_key = @Key))
                    union
                    select t.id, t.number, t.superseded_by
                    from asked
                    join turns as t on t.id = asked.superseded_by
                    where not exists (
                        select from turns as before
                        where before.session_id = @sessionId and before.superseded_by = t.id and before.number < asked.number
                    )
                )
                select t.id, t.request::text as request, t.state::text as state
                from turns as t
                where t.id = (select id from asked order by number desc limit 1)
                """,
                new { sessionId, subject, known, key.Scope, key.Key }, cancellationToken: cancellationToken)),
            cancellationToken);
    }

    /// <summary>The lock of the session keeps out new turns, and makes regenerations follow each other. The next statement sees all that came before it.</summary>
    private static async Task<TurnOpening?> SupersedeAsync(NpgsqlConnection connection, Guid sessionId, Guid turnId, Guid newId)
    {
        await connection.ExecuteAsync(Command("select from chat_sessions where id = @sessionId for no key update"));
        // The locks of the turns keep a failed one from being started again meanwhile.
        var turns = (await connection.QueryAsync<Place>(Command(
            """
            select state::text as state, superseded_by from turns
            where session_id = @sessionId and number >= (select number from turns where id = @turnId)
            order by number
            for no key update
            """))).AsList();
        switch (turns)
        {
            case []:
                return new TurnOpening.SessionNotFound();
            // A retry after a lost reply: the turn is open.
            case [{ SupersededBy: { } by }, ..] when by == newId:
                return null;
            case [{ SupersededBy: not null }, ..]:
                return new TurnOpening.NoPlace(IsSuperseded, "This turn was replaced before: regenerate the turn in its superseded_by.");
        }

        if (turns.Exists(t => t.State == "running"))
            return new TurnOpening.NoPlace(IsRunning, "This turn, or one after it, is still running: stop it first, or wait for its end.");
        await connection.ExecuteAsync(Command(
            """
            update turns set superseded_by = @newId
            where session_id = @sessionId and number >= (select number from turns where id = @turnId) and superseded_by is null
            """));
        return null;

        CommandDefinition Command(string sql) => new(sql, new { sessionId, turnId, newId }, cancellationToken: CancellationToken.None);
    }

    private static ProblemHttpResult NotFound() => Problem.NotFound("turn_not_found", "There is no such turn.");

    private sealed record Row(Guid SessionId, string Request);

    internal sealed record FoundTurn(Guid Id, string Request, string State);

    private sealed record Place(string State, Guid? SupersededBy);
}
