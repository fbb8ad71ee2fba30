using System.Runtime.CompilerServices;
using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>A step of a turn, as its readers see it. A door to the service writes it in the form of its protocol.</summary>
/// <param name="Cursor">The reader's position after the step: a reader that comes back with it gets what follows.</param>
internal abstract record TurnStep(string Cursor)
{
    private object? _written;

    /// <summary>The step in the form of a protocol, made once for all readers who get this step.</summary>
    /// <param name="write">Always the same for <typeparamref name="T"/>.</param>
    public T WrittenBy<T>(Func<TurnStep, T> write)
        where T : class
    {
        if (_written is T written)
            return written;
        written = write(this);
        _written = written;
        return written;
    }

    /// <summary>An attempt begins. If it is not the first, the text starts again: what was sent of it before is no part of the answer.</summary>
    public sealed record Begun(string Cursor, Guid TurnId, Guid SessionId, int Attempt) : TurnStep(Cursor);

    /// <param name="Citations">All that the text cites until now. They are sent again when there are more.</param>
    /// <param name="Retrieved">What was found for the question, best first.</param>
    public sealed record Sources(string Cursor, IReadOnlyList<Citation> Citations, IReadOnlyList<RetrievedPassage> Retrieved) : TurnStep(Cursor);

    public sealed record Delta(string Cursor, string Text) : TurnStep(Cursor);

    /// <summary>The last step of a turn with an answer.</summary>
    /// <param name="ResponseJson">The <see cref="ChatResponse"/>, as it is stored.</param>
    /// <param name="IsStopped">True if the reader stopped the turn: the answer is what was written until then.</param>
    public sealed record Ended(string Cursor, string ResponseJson, bool IsStopped) : TurnStep(Cursor);

    /// <summary>The last step that can be read here: the turn failed, or is unavailable for now.</summary>
    public sealed record Failed(string Cursor, Guid TurnId, TurnFailure Failure) : TurnStep(Cursor);
}

/// <summary>Reads a turn in memory if this process answers it, otherwise in the database, where its text is saved every second.</summary>
internal sealed class TurnReader(NpgsqlDataSource database, TurnRunner runner, TurnLeases leases, TimeProvider time)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    public async Task<TurnEnd?> WaitAsync(Guid turnId, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (runner.Find(turnId) is { } running && await running.WaitForEndAsync(cancellationToken) is var end && end != TurnEnd.Lost)
                return end;
            if (await ReadAsync(turnId, int.MaxValue, cancellationToken) is not { } snapshot)
                return null;
            if (snapshot.End is { } ended)
                return ended;
            if (runner.HasHandedOn)
                return new(null, TurnFailure.ServerStopping(snapshot.Retrieved));
            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    /// <param name="after">The cursor of the last step that the reader has; null for all.</param>
    public async IAsyncEnumerable<TurnStep> FollowAsync(
        Guid turnId, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var cursor = StreamCursor.Parse(after);
        RunningTurn? running = null;
        while (true)
        {
            // Kept once found: it knows the end when the runner has removed it, or the database is unavailable.
            running ??= runner.Find(turnId);
            var changed = running?.Changed;
            var (snapshot, problem) = running is null ? await TryReadAsync(turnId, cursor.Offset, cancellationToken) : (running.Snapshot(cursor.Offset), null);
            if (problem is not null)
            {
                // The cursor is the reader's position, so that a reconnect resumes there.
                yield return new TurnStep.Failed(cursor.ToString(), turnId, problem);
                yield break;
            }

            if (snapshot is null)
            {
                yield return new TurnStep.Failed(StreamCursor.EndOf(cursor.Attempt), turnId, TurnFailure.SessionGone());
                yield break;
            }

            if (cursor.Attempt != snapshot.Attempt)
            {
                var isFromStart = cursor.Offset == 0;
                cursor = new(snapshot.Attempt, 0, 0);
                yield return snapshot.Share(new TurnStep.Begun(cursor.ToString(), turnId, snapshot.SessionId, snapshot.Attempt));
                // The offset was in another attempt's text, so the snapshot lacks the start of this one.
                if (!isFromStart)
                    continue;
            }

            if (snapshot.Retrieved is not null && (cursor.Sources == 0 || snapshot.Citations.Count >= cursor.Sources))
            {
                cursor = cursor with { Sources = snapshot.Citations.Count + 1 };
                yield return snapshot.Share(new TurnStep.Sources(cursor.ToString(), snapshot.Citations, snapshot.Retrieved));
            }

            if (snapshot.Text.Length > 0)
            {
                cursor = cursor with { Offset = cursor.Offset + snapshot.Text.Length };
                yield return snapshot.Share(new TurnStep.Delta(cursor.ToString(), snapshot.Text));
            }

            if (snapshot.HasMore)
                continue;

            switch (snapshot.End)
            {
                case { ResponseJson: not null } end:
                    yield return end.StepOf(snapshot.Attempt);
                    yield break;
                case { Failure: { } failure }:
                    yield return new TurnStep.Failed(StreamCursor.EndOf(snapshot.Attempt), turnId, failure);
                    yield break;
            }

            if (changed is not null && snapshot.End is null)
            {
                await changed.WaitAsync(cancellationToken);
                continue;
            }

            running = null;
            if (runner.HasHandedOn)
            {
                yield return new TurnStep.Failed(cursor.ToString(), turnId, TurnFailure.ServerStopping(snapshot.Retrieved));
                yield break;
            }

            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    /// <summary>Returns errors, because a stream that has begun must end with an error event.</summary>
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

    private async Task<TurnSnapshot?> ReadAsync(Guid turnId, int offset, CancellationToken cancellationToken)
    {
        var row = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<TurnRow>(new(
                """
                select session_id, attempt, partial_sources::text as sources,
                       substring(partial_text from least(@offset * 2::bigint, octet_length(partial_text))::integer + 1) as text,
                       response::text as response, error::text as error,
                       state = 'running' and lease_until < now() as is_abandoned
                from turns
                where id = @turnId
                """,
                new { turnId, offset }, cancellationToken: cancellationToken)),
            cancellationToken);
        if (row is null)
            return null;
        if (row.IsAbandoned)
            leases.Nudge();

        if (row.Response is not null)
        {
            var response = TurnJson.Read<ChatResponse>(row.Response);
            return new(row.SessionId, row.Attempt, [], response.Citations, response.Response[Math.Min(offset, response.Response.Length)..], new(row.Response, null, response.IsStopped));
        }

        var end = row.Error is null ? null : new TurnEnd(null, TurnJson.Read<TurnFailure>(row.Error));
        var sources = row.Sources is null ? null : TurnJson.Read<TurnSources>(row.Sources);
        return new(
            row.SessionId, row.Attempt, sources?.Retrieved ?? end?.Failure?.Retrieved, sources?.Citations ?? [], Encoding.Unicode.GetString(row.Text), end);
    }

    private sealed record TurnRow(Guid SessionId, int Attempt, string? Sources, byte[] Text, string? Response, string? Error, bool IsAbandoned);
}
