using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Audits;

/// <summary>
/// Who has a model at work on a record: a lease on its row, as no connection is held while the model answers, which an
/// advisory lock would need.
/// </summary>
internal sealed class AuditSummaryLease(NpgsqlDataSource db, IOptions<AiOptions> options)
{
    /// <summary>A lease outlives the model's own time limit, so that it lapses only when its process is gone.</summary>
    private readonly double _seconds = options.Value.TimeoutSeconds + 30;

    /// <summary>Takes the lease; null when another has it, or a newer summary is there.</summary>
    public Task<AuditResponse?> ClaimAsync(Guid id, int summaries, Guid owner) => db.RetryAsync(
        connection => connection.QuerySingleOrDefaultAsync<AuditResponse>(
            """
            update audit set summary_lease_owner = @owner, summary_lease_until = now() + make_interval(secs => @seconds)
            where id = @id and summaries = @summaries
              and (summary_lease_until is null or summary_lease_until < now() or summary_lease_owner = @owner)
            returning
            """ + " " + AuditResponse.Columns, new { id, summaries, owner, seconds = _seconds }),
        CancellationToken.None);

    /// <summary>Stores the summary while it is still that of the record's title and details, and ends the lease.</summary>
    public Task<AuditResponse?> StoreAsync(AuditResponse read, Guid owner, string summary) => db.RetryAsync(
        connection => connection.QuerySingleOrDefaultAsync<AuditResponse>(
            """
            update audit
            set summary = @summary, summaries = summaries + 1, version = version + 1, change_id = @owner, updated_at = now(),
                summary_lease_owner = null, summary_lease_until = null
            where id = @Id and summary_lease_owner = @owner and title = @Title and details = @DetailsText::jsonb
            returning
            """ + " " + AuditResponse.Columns, new { read.Id, read.Title, read.DetailsText, owner, summary }),
        CancellationToken.None);

    /// <summary>Ends the lease with nothing stored, where it is still the owner's.</summary>
    public Task ReleaseAsync(Guid id, Guid owner) => db.RetryAsync(
        connection => connection.ExecuteAsync(
            "update audit set summary_lease_owner = null, summary_lease_until = null where id = @id and summary_lease_owner = @owner",
            new { id, owner }),
        CancellationToken.None);
}
