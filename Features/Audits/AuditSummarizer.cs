using System.Collections.Concurrent;
using ChatBackend.Infrastructure.Ai;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Audits;

/// <summary>How a request for a summary ended, failures of the model aside.</summary>
internal enum SummaryOutcome
{
    Stored,
    Unknown,
    DetailsChanged,
}

/// <summary>
/// Sees to it that a record is summarized once for all who ask at the same time: within the process they share a task,
/// across replicas a lease on the row. No connection is held while the model answers, so an advisory lock will not do.
/// </summary>
internal sealed class AuditSummarizer(NpgsqlDataSource db, IChatModel model, IOptions<AiOptions> options, TimeProvider time)
{
    /// <summary>How often a replica looks whether another one's model has answered.</summary>
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    /// <summary>A lease outlives the model's own time limit, so that it lapses only when its process is gone.</summary>
    private readonly double _leaseSeconds = options.Value.TimeoutSeconds + 30;

    private readonly ConcurrentDictionary<(Guid Id, int Version), Lazy<Task<(SummaryOutcome, AuditResponse?)>>> _flights = [];

    private int _waiting;

    /// <summary>How many calls have seen the record and wait for its summary.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>The record with a summary that was stored after this call.</summary>
    /// <exception cref="ModelException">The model failed: nothing was written.</exception>
    public async Task<(SummaryOutcome Outcome, AuditResponse? Audit)> SummarizeAsync(Guid id, CancellationToken cancellationToken)
    {
        (int Version, int Summaries)? seen;
        await using (var connection = await db.OpenConnectionAsync(cancellationToken))
        {
            seen = await connection.QuerySingleOrDefaultAsync<(int, int)?>(new(
                "select version, summaries from audit where id = @id", new { id }, cancellationToken: cancellationToken));
        }

        if (seen is not { } start)
            return (SummaryOutcome.Unknown, null);

        // The shared task is nobody's request: whoever goes away leaves it to the others, and its summary is stored.
        var key = (id, start.Version);
        var flight = _flights.GetOrAdd(key, _ => new(() => FlyAsync(key, start.Summaries)));
        Interlocked.Increment(ref _waiting);
        try
        {
            return await flight.Value.WaitAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private async Task<(SummaryOutcome, AuditResponse?)> FlyAsync((Guid Id, int Version) key, int summaries)
    {
        try
        {
            return await RunAsync(key.Id, summaries);
        }
        finally
        {
            _flights.TryRemove(key, out var _);
        }
    }

    private async Task<(SummaryOutcome, AuditResponse?)> RunAsync(Guid id, int summaries)
    {
        var owner = Guid.NewGuid();
        while (true)
        {
            if (await ClaimAsync(id, summaries, owner) is { } audit)
            {
                string summary;
                try
                {
                    summary = await AuditSummary.WriteAsync(model, audit);
                }
                catch
                {
                    await ReleaseAsync(id, owner);
                    throw;
                }

                if (await StoreAsync(audit, owner, summary) is { } stored)
                    return (SummaryOutcome.Stored, stored);
                if (await ReleaseAsync(id, owner))
                    return (SummaryOutcome.DetailsChanged, null);
                // The lease had lapsed and is another's now, or the record is gone: look again.
            }

            await using (var connection = await db.OpenConnectionAsync())
            {
                var newest = await connection.QuerySingleOrDefaultAsync<AuditResponse>(
                    "select summaries, " + AuditResponse.Columns + " from audit where id = @id", new { id });
                if (newest is null)
                    return (SummaryOutcome.Unknown, null);
                if (newest.Summaries > summaries)
                    return (SummaryOutcome.Stored, newest);
            }

            await Task.Delay(Poll, time);
        }
    }

    private async Task<AuditResponse?> ClaimAsync(Guid id, int summaries, Guid owner)
    {
        await using var connection = await db.OpenConnectionAsync();
        return await connection.QuerySingleOrDefaultAsync<AuditResponse>(
            """
            update audit set summary_lease_owner = @owner, summary_lease_until = now() + make_interval(secs => @seconds)
            where id = @id and summaries = @summaries and (summary_lease_until is null or summary_lease_until < now())
            returning
            """ + " " + AuditResponse.Columns, new { id, summaries, owner, seconds = _leaseSeconds });
    }

    /// <summary>Stores the summary while it is still that of the record's title and details.</summary>
    private async Task<AuditResponse?> StoreAsync(AuditResponse read, Guid owner, string summary)
    {
        await using var connection = await db.OpenConnectionAsync();
        return await connection.QuerySingleOrDefaultAsync<AuditResponse>(
            """
            update audit
            set summary = @summary, summaries = summaries + 1, version = version + 1, updated_at = now(),
                summary_lease_owner = null, summary_lease_until = null
            where id = @Id and summary_lease_owner = @owner and title = @Title and details = @DetailsText::jsonb
            returning
            """ + " " + AuditResponse.Columns, new { read.Id, read.Title, read.DetailsText, owner, summary });
    }

    private async Task<bool> ReleaseAsync(Guid id, Guid owner)
    {
        await using var connection = await db.OpenConnectionAsync();
        return await connection.ExecuteAsync(
            "update audit set summary_lease_owner = null, summary_lease_until = null where id = @id and summary_lease_owner = @owner",
            new { id, owner }) == 1;
    }
}
