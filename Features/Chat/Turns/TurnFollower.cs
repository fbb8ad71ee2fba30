using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Where a reader of a turn's stream is; its text is the id of the last event it had.</summary>
/// <param name="Attempt">The attempt whose events it had; 0 before the first.</param>
/// <param name="Sources">0 before the citations event; then one more than the citations it had.</param>
/// <param name="Offset">How much of the answer it had, in UTF-16 code units.</param>
internal sealed record StreamCursor(int Attempt, int Sources, int Offset)
{
    /// <summary>The id of an attempt's last event.</summary>
    public static string EndOf(int attempt) => $"{attempt}.end";

    public override string ToString() => $"{Attempt}.{Sources}.{Offset}";

    /// <summary>The place that an id names; the beginning for any other text.</summary>
    public static StreamCursor Parse(string? id) =>
        id?.Split('.') is [var a, var s, var o]
        && int.TryParse(a, out var attempt) && int.TryParse(s, out var sources) && int.TryParse(o, out var offset)
        && attempt >= 0 && sources >= 0 && offset >= 0
            ? new(attempt, sources, offset)
            : new(0, 0, 0);
}

/// <summary>
/// Follows a turn to its end: through memory where this process answers it, else through the database, where its owner saves
/// what it has written every second.
/// </summary>
internal sealed class TurnFollower(NpgsqlDataSource database, TurnRunner runner, TimeProvider time)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    /// <summary>Waits for a turn's end. Null when the turn is gone: its session was deleted.</summary>
    public async Task<TurnEnd?> WaitAsync(Guid turnId, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (runner.Find(turnId) is { } live && await live.WaitForEndAsync(cancellationToken) is var end && end != TurnEnd.Lost)
                return end;
            if (await ReadAsync(turnId, int.MaxValue, cancellationToken) is not { } snapshot)
                return null;
            if (snapshot.End is { } ended)
                return ended;
            if (runner.HasHandedOn)
                return new(null, ServerStopping(snapshot.Retrieved));
            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    /// <summary>The turn's events from its start, or from the one after <paramref name="lastEventId"/>.</summary>
    public async IAsyncEnumerable<ServerSentEvent> FollowAsync(
        Guid turnId, string? lastEventId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var cursor = StreamCursor.Parse(lastEventId);
        LiveTurn? live = null;
        while (true)
        {
            // Once found it is kept: it knows its end also when the runner, or the database, is gone.
            live ??= runner.Find(turnId);
            var changed = live?.Changed;
            var (snapshot, problem) = live is null ? await TryReadAsync(turnId, cursor.Offset, cancellationToken) : (live.Snapshot(cursor.Offset), null);
            if (problem is not null)
            {
                // With the place the reader is at: it goes on from there when it comes back.
                yield return Error(cursor.ToString(), problem, turnId);
                yield break;
            }

            if (snapshot is null)
            {
                yield return Error(StreamCursor.EndOf(cursor.Attempt), SessionGone(), turnId);
                yield break;
            }

            if (cursor.Attempt != snapshot.Attempt)
            {
                var isFromStart = cursor.Offset == 0;
                cursor = new(snapshot.Attempt, 0, 0);
                yield return new(cursor.ToString(), "turn", TurnJson.Write(new TurnEvent(turnId, snapshot.SessionId, snapshot.Attempt)));
                // The place was one in another attempt's text: of this one's all is new.
                if (!isFromStart)
                    continue;
            }

            if (snapshot.Retrieved is not null && (cursor.Sources == 0 || snapshot.Citations.Count >= cursor.Sources))
            {
                cursor = cursor with { Sources = snapshot.Citations.Count + 1 };
                yield return new(cursor.ToString(), "citations", TurnJson.Write(new CitationsEvent(snapshot.Citations, snapshot.Retrieved)));
            }

            if (snapshot.Text.Length > 0)
            {
                cursor = cursor with { Offset = cursor.Offset + snapshot.Text.Length };
                yield return new(cursor.ToString(), "delta", TurnJson.Write(new DeltaEvent(snapshot.Text)));
            }

            if (snapshot.HasMore)
                continue;

            switch (snapshot.End)
            {
                case { ResponseJson: { } response }:
                    yield return new(StreamCursor.EndOf(snapshot.Attempt), "completed", response);
                    yield break;
                case { Failure: { } failure }:
                    yield return Error(StreamCursor.EndOf(snapshot.Attempt), failure, turnId);
                    yield break;
            }

            if (changed is not null && snapshot.End is null)
            {
                await changed.WaitAsync(cancellationToken);
                continue;
            }

            // Lost to another attempt: the database knows more from here on.
            live = null;
            if (runner.HasHandedOn)
            {
                // With the place the reader is at: another replica goes on from there.
                yield return Error(cursor.ToString(), ServerStopping(snapshot.Retrieved), turnId);
                yield break;
            }

            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    /// <summary>A session that was deleted while its question was being answered.</summary>
    public static TurnFailure SessionGone() =>
        new(StatusCodes.Status404NotFound, "session_not_found", "The session was deleted before the answer was there.", null, []);

    private static TurnFailure ServerStopping(IReadOnlyList<RetrievedPassage>? retrieved) => new(
        StatusCodes.Status503ServiceUnavailable, "server_stopping", "This server is being replaced. The answer goes on at the next one: ask for the turn again.",
        1, retrieved ?? []);

    /// <summary>The turn, or why the database does not tell: a stream that has begun ends with a problem, not in the middle.</summary>
    private async Task<(TurnSnapshot? Snapshot, TurnFailure? Problem)> TryReadAsync(Guid turnId, int offset, CancellationToken cancellationToken)
    {
        try
        {
            return (await ReadAsync(turnId, offset, cancellationToken), null);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, TurnFailure.From(e, []));
        }
    }

    /// <summary>The turn as the database has it, with its text from an offset on, or null when there is none.</summary>
    private async Task<TurnSnapshot?> ReadAsync(Guid turnId, int offset, CancellationToken cancellationToken)
    {
        var row = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<TurnRow>(new(
                """
                select session_id, attempt, partial_sources::text as sources,
                       substring(partial_text from least(@offset * 2::bigint, octet_length(partial_text))::integer + 1) as text,
                       response::text as response, error::text as error,
                       state = 'running' and lease_until < now() as is_left_behind
                from turns
                where id = @turnId
                """,
                new { turnId, offset }, cancellationToken: cancellationToken)),
            cancellationToken);
        if (row is null)
            return null;
        if (row.IsLeftBehind)
            runner.Nudge();

        if (row.Response is not null)
        {
            var response = TurnJson.Read<ChatResponse>(row.Response);
            return new(row.SessionId, row.Attempt, [], response.Citations, response.Response[Math.Min(offset, response.Response.Length)..], new(row.Response, null));
        }

        var end = row.Error is null ? null : new TurnEnd(null, TurnJson.Read<TurnFailure>(row.Error));
        var sources = row.Sources is null ? null : TurnJson.Read<TurnSources>(row.Sources);
        return new(
            row.SessionId, row.Attempt, sources?.Retrieved ?? end?.Failure?.Retrieved, sources?.Citations ?? [], Encoding.Unicode.GetString(row.Text), end);
    }

    private static ServerSentEvent Error(string id, TurnFailure failure, Guid turnId)
    {
        var problem = TurnResult.Describe(failure, turnId);
        // What the writer of problems adds to those that are a whole answer.
        problem.Instance = $"/chat/turns/{turnId}";
        problem.Extensions["trace_id"] = Activity.Current?.TraceId.ToString();
        return new(id, "error", TurnJson.Write(problem));
    }

    private sealed record TurnRow(Guid SessionId, int Attempt, string? Sources, byte[] Text, string? Response, string? Error, bool IsLeftBehind);

    private sealed record TurnEvent(Guid TurnId, Guid SessionId, int Attempt);

    private sealed record CitationsEvent(IReadOnlyList<Citation> Citations, IReadOnlyList<RetrievedPassage> Retrieved);

    private sealed record DeltaEvent(string Text);
}
