namespace ChatBackend.Bench.Scenarios;

/// <summary>Fills the table with as many records as the run asks for.</summary>
internal static class AuditSeed
{
    /// <summary>Leaves exactly the records asked for, vacuumed and analyzed as autovacuum would within a minute.</summary>
    public static async Task RunAsync(LoadRunner runner)
    {
        if (await runner.CountAsync("select count(*) from audit where title like '% audit of %'") == runner.Options.Audits
            && await runner.CountAsync("select count(*) from audit") == runner.Options.Audits)
            return;

        await runner.ExecuteAsync("truncate audit");
        await runner.ExecuteAsync(
            """
            insert into audit (id, title, title_key, status, score, details, created_at, updated_at)
            select gen_random_uuid(), title, lower(title), (array['pending', 'in_progress', 'completed', 'failed']::audit_status[])[1 + n::bigint * 7919 % 4],
                   n % 101, jsonb_build_object('run', n, 'note', repeat('x', n % 200)), at, at
            from (
                select n, now() - make_interval(secs => @Audits - n) as at,
                       format('%s %s audit of %s %s', (array['Weekly', 'Nightly', 'Initial', 'Final', 'Repeated'])[1 + n % 5],
                              (array['safety', 'torque', 'gait', 'balance', 'vision', 'grasp'])[1 + n % 6],
                              (array['arm', 'leg', 'hand', 'camera', 'battery', 'knee', 'gripper'])[1 + n % 7], n) as title
                from generate_series(1, @Audits) as n
            ) as made
            """,
            new { runner.Options.Audits });
        await runner.ExecuteAsync("vacuum analyze audit");
    }
}
