using Dapper;

namespace ChatBackend.Tests.Features.Audits;

/// <summary>The list against a plain computation over the same records.</summary>
public sealed class ListAuditsTests(ListAuditsTests.SeededApp app) : IClassFixture<ListAuditsTests.SeededApp>
{
    private static readonly string[] Statuses = ["pending", "in_progress", "completed", "failed"];
    private static readonly string[] Words = ["Knee", "ankle", "Hip", "Élan", "50% torque_test", "zebra"];

    /// <summary>47 records; some share their title, and some the instant of their creation.</summary>
    public sealed class SeededApp : ChatBackendApp
    {
        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            for (var i = 0; i < 47; i++)
                await Client.CreateAuditAsync($$$"""{"title":"{{{Words[i % 6]}}} {{{i % 9}}}","status":"{{{Statuses[i * 7 % 11 % 4]}}}","details":{"n":{{{i}}}}}""");
            await ExecuteAsync("update audit set created_at = date_trunc('minute', created_at) + make_interval(mins => (details->>'n')::int / 3)");
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("created_at")]
    [InlineData("-created_at")]
    [InlineData("title")]
    [InlineData("-title")]
    public async Task Every_page_is_what_sorting_and_cutting_all_records_gives(string? sort)
    {
        await using var connection = await app.OpenDatabaseAsync();
        var all = (await connection.QueryAsync<Row>("select id, title, status::text, created_at from audit")).ToArray();
        Assert.Equal(47, all.Length);

        foreach (var status in (string?[])[null, "completed", "failed"])
        {
            foreach (var q in (string?[])[null, "", "KNEE", "e", "le", "% TORQUE_", "e\u0301lan 4", "nothing"])
            {
                var expected = Sorted(all.Where(a => (status is null || a.Status == status) && Key(a.Title).Contains(Key(q ?? ""), StringComparison.Ordinal)), sort ?? "-created_at").ToArray();
                for (var page = 1; page <= expected.Length / 10 + 2; page++)
                {
                    var path = $"/audits?page={page}&page_size=10" + Query("sort", sort) + Query("status", status) + Query("q", q);
                    var body = await app.Client.GetJsonAsync(path);

                    Assert.Equal(expected.Skip((page - 1) * 10).Take(10).Select(a => a.Id), body.GetProperty("items").EnumerateArray().Select(a => a.GetProperty("id").GetGuid()));
                    Assert.Equal(expected.Length, body.GetProperty("total").GetInt64());
                    Assert.Equal((expected.Length + 9) / 10, body.GetProperty("pages").GetInt64());
                    Assert.Equal((page, 10), (body.GetProperty("page").GetInt32(), body.GetProperty("page_size").GetInt32()));
                }
            }
        }
    }

    [Fact]
    public async Task Without_parameters_it_is_the_newest_twenty_as_they_are_read_one_by_one()
    {
        var body = await app.Client.GetJsonAsync("/audits");

        var items = body.GetProperty("items").EnumerateArray().ToArray();
        Assert.Equal(20, items.Length);
        Assert.Equal(items[3].GetRawText(), (await app.Client.GetJsonAsync($"/audits/{items[3].GetProperty("id").GetString()}")).GetRawText());
    }

    [Fact]
    public async Task The_farthest_page_there_can_be_is_empty() =>
        Assert.Equal(0, (await app.Client.GetJsonAsync($"/audits?page={int.MaxValue}&page_size=50")).GetProperty("items").GetArrayLength());

    [Theory]
    [InlineData("page=0", "page")]
    [InlineData("page=-1", "page")]
    [InlineData("page=two", "page")]
    [InlineData("page=", "page")]
    [InlineData("page=2147483648", "page")]
    [InlineData("page_size=0", "page_size")]
    [InlineData("page_size=51", "page_size")]
    [InlineData("page_size=1.5", "page_size")]
    [InlineData("status=done", "status")]
    [InlineData("status=Pending", "status")]
    [InlineData("sort=score", "sort")]
    [InlineData("sort=created_at;drop table audit", "sort")]
    [InlineData("q=a%00b", "q")]
    public async Task A_parameter_that_is_not_valid_is_named(string query, string field) =>
        await (await app.Client.GetAsync($"/audits?{query}")).InvalidAsync(field);

    private static IEnumerable<Row> Sorted(IEnumerable<Row> rows, string sort)
    {
        var ascending = sort.TrimStart('-') == "title"
            ? rows.OrderBy(r => Key(r.Title), StringComparer.Ordinal).ThenBy(r => r.Id.ToString(), StringComparer.Ordinal)
            : rows.OrderBy(r => r.CreatedAt).ThenBy(r => r.Id.ToString(), StringComparer.Ordinal);
        return sort.StartsWith('-') ? ascending.Reverse() : ascending;
    }

    private static string Key(string title) => title.Normalize().ToLowerInvariant();

    private static string Query(string name, string? value) => value is null ? "" : $"&{name}={Uri.EscapeDataString(value)}";

    private sealed record Row(Guid Id, string Title, string Status, DateTime CreatedAt);
}
