namespace ChatBackend.Features.Audits;

/// <summary>The statements of <see cref="ListAudits"/>: each gives a page and the total in one round trip and one snapshot.</summary>
internal static class ListAuditsSql
{
    private const string IsOfStatus = "(@Status::audit_status is null or status = @Status::audit_status)";

    /// <summary>Parameters cannot name columns: all but the asked order are constants, which the planner drops.</summary>
    private const string Order =
        """
        order by case @Sort when 'created_at' then created_at end, case @Sort when '-created_at' then created_at end desc,
                 case @Sort when 'title' then title_key end, case @Sort when '-title' then title_key end desc,
                 case when @Sort not like '-%' then id end, id desc
        """;

    /// <summary>
    /// Without a text. The total comes from the kept counts, so the page can be read from whichever end of its index is
    /// nearer: the last page costs what the first one does. Of the four index scans three have a limit of 0 and never run;
    /// rows are fetched for the ids of the page only.
    /// </summary>
    public const string All =
        $"""
        with counted as (
            select coalesce(sum(rows), 0)::bigint as total, greatest(0, least(@Size, coalesce(sum(rows), 0) - @Skip)) as take,
                   @Skip * 2 > coalesce(sum(rows), 0) as from_end
            from audit_count where {IsOfStatus}
        ), wanted as (
            select total, take, greatest(0, case when from_end then total - @Skip - take else @Skip end) as skip,
                   case when from_end = (@Sort like '-%') then 'up' else 'down' end as direction, ltrim(@Sort, '-') as key
            from counted
        ), page as (
            select id from (
                (select id from audit where {IsOfStatus} order by created_at, id offset (select skip from wanted)
                 limit (select case when key = 'created_at' and direction = 'up' then take else 0 end from wanted))
                union all
                (select id from audit where {IsOfStatus} order by created_at desc, id desc offset (select skip from wanted)
                 limit (select case when key = 'created_at' and direction = 'down' then take else 0 end from wanted))
                union all
                (select id from audit where {IsOfStatus} order by title_key, id offset (select skip from wanted)
                 limit (select case when key = 'title' and direction = 'up' then take else 0 end from wanted))
                union all
                (select id from audit where {IsOfStatus} order by title_key desc, id desc offset (select skip from wanted)
                 limit (select case when key = 'title' and direction = 'down' then take else 0 end from wanted))
            ) as scans
            -- Says nothing new, but tells the planner how few there are.
            limit @Size
        )
        select wanted.total, {AuditResponse.Columns}
        from wanted left join (page join audit using (id)) on true
        {Order}
        """;

    /// <summary>
    /// With a text: the titles are read from their index alone, 0.15 µs each; what fits is counted and cut in one pass, and
    /// the rest of a row is fetched for the page only.
    /// </summary>
    public const string Search =
        $"""
        with matches as materialized (
            select id, created_at, title_key from audit
            where strpos(title_key, @Text) > 0 and {IsOfStatus}
            -- Keeps the planner on the title index, which is narrower than the table.
            order by title_key, id
        ), page as (
            select id from matches
            {Order}
            offset @Skip limit @Size
        )
        select (select count(*) from matches) as total, {AuditResponse.Columns}
        from (select) as always left join (page join audit using (id)) on true
        {Order}
        """;
}
