using Dapper;

namespace ChatBackend.Tests.Features.Audits;

/// <summary>The kept counts are what counting gives, whatever happens to the table.</summary>
public sealed class AuditCountTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Fact]
    public async Task Counts_hold_through_concurrent_changes_bulk_statements_and_rollbacks()
    {
        await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
        {
            var (path, _) = await app.Client.CreateAuditAsync($$"""{"title":"n {{i}}"}""");
            if (i % 2 == 0)
                await app.Client.SendAsync(HttpMethod.Patch, path, """{"status":"completed"}""");
            if (i % 5 == 0)
                await app.Client.DeleteAsync(path);
        }));
        await AssertCountsAsync(48);

        await app.ExecuteAsync("update audit set status = case status when 'completed' then 'failed' else 'completed' end::audit_status");
        await AssertCountsAsync(48);

        await using (var connection = await app.OpenDatabaseAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await connection.ExecuteAsync("delete from audit", transaction: transaction);
            await transaction.RollbackAsync();
        }

        await AssertCountsAsync(48);
        await app.ExecuteAsync("delete from audit where status = 'failed'");
        await AssertCountsAsync(24);
        await app.ExecuteAsync("truncate audit");
        await AssertCountsAsync(0);
    }

    private async Task AssertCountsAsync(int total)
    {
        Assert.Equal(total, (await app.Client.GetJsonAsync("/audits")).GetProperty("total").GetInt32());
        foreach (var status in (string[])["pending", "in_progress", "completed", "failed"])
        {
            Assert.Equal(
                await app.ScalarAsync<int>("select count(*) from audit where status = @status::audit_status", new { status }),
                (await app.Client.GetJsonAsync($"/audits?status={status}")).GetProperty("total").GetInt32());
        }
    }
}
