using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Audits;

internal static class SummarizeAudit
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    public static void MapSummarizeAudit(this IEndpointRouteBuilder audit) => audit
        .MapPost("/summary", HandleAsync)
        .WithName(nameof(SummarizeAudit))
        .FailsWith(StatusCodes.Status409Conflict, "audit_changed")
        .FailsWhenLimited()
        .FailsWhenSpent()
        .AnswersWithVersion();

    /// <summary>Have a model summarize an audit record</summary>
    /// <remarks>
    /// The model reads title and details; its summary, up to 2,000 characters, is stored in the record. Requests that arrive while
    /// the model reads get the same summary: it is asked once. Without a model the summary lists the details' values.
    /// Each request counts towards the chat's rate limit.
    /// </remarks>
    /// <param name="id">The record's id.</param>
    /// <response code="200">The record with its new summary, its new version in ETag.</response>
    /// <response code="400">The id is no UUID.</response>
    /// <response code="404">There is no such record.</response>
    /// <response code="409">The details were changed while the model read them; nothing was written.</response>
    /// <response code="429">Too many requests to the model from this client, or the tokens for today are used up; Retry-After says when to retry.</response>
    /// <response code="500">The model failed; nothing was written.</response>
    /// <response code="503">The model or the database is unavailable; nothing was written.</response>
    internal static async Task<Results<Ok<AuditResponse>, ProblemHttpResult>> HandleAsync(
        string id, NpgsqlDataSource db, [FromServices] IChatModel? model, IOptions<AiOptions> options, TimeProvider time,
        [FromKeyedServices(RateLimit.Chat)] RateLimit limit, TokenBudget budget, HttpContext context, CancellationToken cancellationToken)
    {
        if (limit.Take(context) is { } refusal)
            return refusal;

        var account = await budget.AccountOfAsync(context, cancellationToken);
        var (summaries, isSpent) = await db.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<(int?, bool)>(new(
                "select summaries," + TokenBudget.IsSpent + " from audit where id = @id::uuid",
                new { id, account.Day, account.Client, budget.ServiceTokens, budget.ClientTokens }, cancellationToken: cancellationToken)),
            cancellationToken);
        if (summaries is null)
            return AuditsFeature.Unknown();
        if (isSpent && !budget.HasFallback)
            return budget.Refuse();

        // The lease is longer than the model's time limit, so it expires only when its process has died.
        var lease = new Lease(db, id, summaries.Value, Owner: Guid.NewGuid(), Seconds: options.Value.TimeoutSeconds + 30);
        // If the caller disconnects, the model's answer is still stored, and other callers wait for it.
        var result = await RunAsync(lease, isSpent ? null : model, budget, account, time, cancellationToken).WaitAsync(cancellationToken);
        if (result.Result is Ok<AuditResponse> { Value: { } audit })
            context.Response.SetVersion(audit.Version);
        return result;
    }

    private static async Task<Results<Ok<AuditResponse>, ProblemHttpResult>> RunAsync(
        Lease lease, IChatModel? model, TokenBudget budget, TokenAccount account, TimeProvider time, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await lease.TakeAsync();
            if (read is not null)
            {
                var tally = new TokenTally();
                try
                {
                    await lease.StoreAsync(read, await AuditSummary.WriteAsync(model, read, tally));
                }
                finally
                {
                    await budget.CountAsync(account, tally.Total);
                    await lease.ReleaseAsync();
                }
            }

            var audit = await lease.ReadAsync();
            if (audit is null)
                return AuditsFeature.Unknown();
            if (audit.Summaries > lease.Summaries)
                return TypedResults.Ok(audit);
            if (read is not null && (read.Title, read.DetailsText) != (audit.Title, audit.DetailsText))
                return Problem.Of(StatusCodes.Status409Conflict, "audit_changed", "The details were changed while the model read them. Ask again.");
            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    /// <summary>The right to ask the model, kept in the row: an advisory lock would hold a connection while the model answers.</summary>
    /// <remarks>The statements take no cancellation token, because an answer that is paid for is stored.</remarks>
    private sealed record Lease(NpgsqlDataSource Db, string Id, int Summaries, Guid Owner, int Seconds)
    {
        /// <summary>Returns null while another request has the lease, or when there is a newer summary.</summary>
        public Task<AuditResponse?> TakeAsync() => QueryAsync(
            $"""
            update audit set summary_lease_owner = @Owner, summary_lease_until = now() + make_interval(secs => @Seconds)
            where id = @Id::uuid and summaries = @Summaries
              and (summary_lease_until is null or summary_lease_until < now() or summary_lease_owner = @Owner)
            returning {AuditResponse.Columns}
            """, this);

        public async Task StoreAsync(AuditResponse read, string summary) => await QueryAsync(
            """
            update audit
            set summary = @summary, summaries = summaries + 1, version = version + 1, updated_at = now()
            where id = @Id::uuid and summary_lease_owner = @Owner and summaries = @Summaries and title = @Title and details = @DetailsText::jsonb
            """, new { Id, Owner, Summaries, read.Title, read.DetailsText, summary });

        public async Task ReleaseAsync() => await QueryAsync(
            "update audit set summary_lease_owner = null, summary_lease_until = null where id = @Id::uuid and summary_lease_owner = @Owner", this);

        public Task<AuditResponse?> ReadAsync() => QueryAsync(
            $"select summaries, {AuditResponse.Columns} from audit where id = @Id::uuid", this);

        private Task<AuditResponse?> QueryAsync(string sql, object parameters) => Db.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<AuditResponse>(new(sql, parameters, cancellationToken: CancellationToken.None)), CancellationToken.None);
    }
}
