using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Audits;

/// <summary>Asks the model for one record's summary and stores it, or waits for the replica that does.</summary>
internal sealed class AuditSummaryRun(NpgsqlDataSource db, AuditSummaryLease lease, IChatModel model, TimeProvider time)
{
    /// <summary>How often a replica looks whether another one's model has answered.</summary>
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    /// <summary>The record with a summary newer than the ones it had.</summary>
    /// <param name="summaries">How many summaries the record had when it was asked for.</param>
    /// <exception cref="ModelException">The model failed: nothing was written.</exception>
    public async Task<(SummaryOutcome, AuditResponse?)> RunAsync(Guid id, int summaries)
    {
        var owner = Guid.NewGuid();
        while (true)
        {
            var read = await lease.ClaimAsync(id, summaries, owner);
            if (read is not null)
            {
                var summary = await WriteAsync(read, owner);
                if (await lease.StoreAsync(read, owner, summary) is { } stored)
                    return (SummaryOutcome.Stored, stored);
                await lease.ReleaseAsync(id, owner);
            }

            var newest = await db.RetryAsync(
                connection => connection.QuerySingleOrDefaultAsync<AuditResponse>(
                    "select summaries, " + AuditResponse.Columns + " from audit where id = @id", new { id }),
                CancellationToken.None);
            if (newest is null)
                return (SummaryOutcome.Unknown, null);
            if (newest.Summaries > summaries)
                return (SummaryOutcome.Stored, newest);
            if (read is not null && (read.Title, read.DetailsText) != (newest.Title, newest.DetailsText))
                return (SummaryOutcome.DetailsChanged, null);

            await Task.Delay(Poll, time);
        }
    }

    private async Task<string> WriteAsync(AuditResponse audit, Guid owner)
    {
        try
        {
            return await AuditSummary.WriteAsync(model, audit);
        }
        catch
        {
            await lease.ReleaseAsync(audit.Id, owner);
            throw;
        }
    }
}
