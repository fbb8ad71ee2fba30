using System.Text.RegularExpressions;
using ChatBackend.Features.Audits;
using Dapper;

namespace ChatBackend.Tests.Features.Audits;

/// <summary>What PostgreSQL does for a page, where the records of a status are all at one end, as they are in practice.</summary>
public sealed class ListAuditsPlanTests(ListAuditsPlanTests.LargeApp app) : IClassFixture<ListAuditsPlanTests.LargeApp>
{
    private const int Rows = 10_000;

    /// <summary>The older half is completed, the newer one pending.</summary>
    public sealed class LargeApp : ChatBackendApp
    {
        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            await ExecuteAsync(
                """
                insert into audit (id, title, title_key, status, created_at, updated_at)
                select gen_random_uuid(), 'Title ' || n, 'title ' || n, (case when n > @Rows / 2 then 'pending' else 'completed' end)::audit_status,
                       now() + make_interval(secs => n), now()
                from generate_series(1, @Rows) as n
                """,
                new { Rows });
            await ExecuteAsync("vacuum analyze audit");
        }
    }

    [Theory]
    [InlineData("created_at", null, "audit_created_at")]
    [InlineData("-created_at", null, "audit_created_at")]
    [InlineData("title", null, "audit_title")]
    [InlineData("-title", null, "audit_title")]
    [InlineData("created_at", "pending", "audit_status_created_at")]
    [InlineData("-created_at", "pending", "audit_status_created_at")]
    [InlineData("title", "pending", "audit_status_title")]
    [InlineData("-title", "completed", "audit_status_title")]
    public async Task The_first_and_the_last_page_read_twenty_entries_of_their_index(string sort, string? status, string index)
    {
        var total = status is null ? Rows : Rows / 2;
        await using var connection = await app.OpenDatabaseAsync();

        foreach (var skip in (long[])[0, total - 20])
        {
            var plan = string.Join('\n', await connection.QueryAsync<string>(
                "explain (analyze, costs off, timing off) " + ListAuditsSql.All(sort, status), new { Status = status, Skip = skip, Size = 20 }));

            var scans = Regex.Matches(plan, @"(?<scan>(Index Only|Index|Seq|Bitmap \w+) Scan.*) \(actual rows=(?<rows>\d+)", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5))
                .Where(s => s.Groups["rows"].Value != "0" && !s.Value.Contains("audit_count", StringComparison.Ordinal) && !s.Value.Contains("audit_pkey", StringComparison.Ordinal)).ToArray();
            var scan = Assert.Single(scans);
            Assert.Matches($"^Index Only Scan (Backward )?using {index} on", scan.Groups["scan"].Value);
            Assert.Equal("20", scan.Groups["rows"].Value);
            Assert.DoesNotMatch(@"Rows Removed by Filter: [1-9]\d\d", plan);
        }
    }
}
