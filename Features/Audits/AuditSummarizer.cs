using System.Collections.Concurrent;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using Dapper;
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
/// and <see cref="AuditSummaryRun"/> sees to the other replicas.
/// </summary>
internal sealed class AuditSummarizer(NpgsqlDataSource db, AuditSummaryRun run)
{
    private readonly ConcurrentDictionary<(Guid Id, int Version), Lazy<Task<(SummaryOutcome, AuditResponse?)>>> _flights = [];

    private int _waiting;

    /// <summary>How many calls have seen the record and wait for its summary.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>The record with a summary that was stored after this call.</summary>
    /// <exception cref="ModelException">The model failed: nothing was written.</exception>
    public async Task<(SummaryOutcome Outcome, AuditResponse? Audit)> SummarizeAsync(Guid id, CancellationToken cancellationToken)
    {
        var seen = await db.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<(int Version, int Summaries)?>(new(
                "select version, summaries from audit where id = @id", new { id }, cancellationToken: cancellationToken)),
            cancellationToken);
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
            return await run.RunAsync(key.Id, summaries);
        }
        finally
        {
            _flights.TryRemove(key, out var _);
        }
    }
}
