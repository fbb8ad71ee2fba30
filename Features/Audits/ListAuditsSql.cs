namespace ChatBackend.Features.Audits;

/// <summary>The statements of <see cref="ListAudits"/>: each gives a page and the total in one round trip and one snapshot.</summary>
internal static class ListAuditsSql
{
    /// <summary>
    /// Without a text. The total comes from the kept counts, so the page can be read from whichever end of its index is
    /// nearer: the last page costs what the first one does. Of the two index scans one has a limit of 0 and never runs;
    /// rows are fetched for the ids of the page only.
    /// </summary>
    public static string All(string sort, string? status)
    {
        var (order, reverse) = OrdersOf(sort);
        var filter = "";
        if (status is not null)
        {
            // A range, and the status in the order: an equality would let the planner read the index without it and throw
            // away what is of another status, which may be all but a few of a million.
            filter = "where status between @Status::audit_status and @Status::audit_status";
            (order, reverse) = sort.StartsWith('-') ? ($"status desc, {order}", $"status, {reverse}") : ($"status, {order}", $"status desc, {reverse}");
        }

        return $"""
            with counted as (
                select coalesce(sum(rows), 0)::bigint as total from audit_count {filter}
            ), cut as (
                select total, greatest(0, least(@Size, total - @Skip)) as take, @Skip * 2 > total as from_end from counted
            ), wanted as (
                select total, greatest(0, case when from_end then total - @Skip - take else @Skip end) as skip,
                       case when from_end then 0 else take end as forwards, case when from_end then take else 0 end as backwards
                from cut
            ), page as (
                select id from (
                    (select id from audit {filter} order by {order}
                     offset (select skip from wanted) limit (select forwards from wanted))
                    union all
                    (select id from audit {filter} order by {reverse}
                     offset (select skip from wanted) limit (select backwards from wanted))
                ) as ends
                -- Says nothing new, but tells the planner how few there are.
                limit @Size
            )
            select wanted.total, {AuditResponse.Columns}
            from wanted left join (page join audit using (id)) on true
            order by {order}
            """;
    }

    /// <summary>With a text: all titles are read, mostly from their narrow index; what fits is counted and cut in one pass.</summary>
    public static string Search(string sort, string? status)
    {
        var (order, _) = OrdersOf(sort);
        var filter = status is null ? "" : "where status = @Status::audit_status";
        // What has an offset is planned by itself: read in their index's order, titles need no sorting.
        var (column, inOrder) = sort.EndsWith("title", StringComparison.Ordinal) ? ("title_key", $"order by {order} offset 0") : ("created_at", "");
        return $"""
            with matches as materialized (
                select id, {column} from (select id, title_key, created_at from audit {filter} {inOrder}) as titles
                where strpos(title_key, @Text) > 0
            ), page as (
                select id from matches order by {order} offset @Skip limit @Size
            )
            select (select count(*) from matches) as total, {AuditResponse.Columns}
            from (select) as always left join (page join audit using (id)) on true
            order by {order}
            """;
    }

    /// <summary>The order as SQL and its reverse. Parameters cannot name columns, so each order is written out.</summary>
    private static (string Order, string Reverse) OrdersOf(string sort) => sort switch
    {
        "created_at" => ("created_at, id", "created_at desc, id desc"),
        "-created_at" => ("created_at desc, id desc", "created_at, id"),
        "title" => ("title_key, id", "title_key desc, id desc"),
        "-title" => ("title_key desc, id desc", "title_key, id"),
        _ => throw new ArgumentOutOfRangeException(nameof(sort)),
    };
}
