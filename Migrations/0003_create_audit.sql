-- Audit records, and what it takes to list them at any page in one round trip: an index for each order, with and
-- without a status, and the number of rows by status, so that nobody counts.

create type audit_status as enum ('pending', 'in_progress', 'completed', 'failed');

create table audit (
    id                  uuid primary key,
    title               text not null,
    -- The title as it is sorted and searched: NFC, lower case. The service makes it, because what lower() and sorting
    -- do depends on the server's locale, and an index in a locale's order breaks when the system's library is upgraded.
    title_key           text collate "C" not null,
    status              audit_status not null default 'pending',
    score               numeric,
    summary             text,
    -- jsonb keeps values, not spelling: keys come back in its own order, the last of duplicate keys counts, 1e2 is 100.
    details             jsonb not null default '{}',
    -- Grows with every change: the entity tag.
    version             integer not null default 1,
    -- Which request made this version: one whose reply was lost recognises what it wrote.
    change_id           uuid,
    -- How often a model summarized the record; a request for a summary is content with any newer one.
    summaries           integer not null default 0,
    -- Who has a model at work on it, and until when nobody else may.
    summary_lease_owner uuid,
    summary_lease_until timestamptz,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    constraint audit_title_length check (char_length(title) between 1 and 200),
    constraint audit_score_range check (score between 0 and 100),
    constraint audit_details_object check (jsonb_typeof(details) = 'object')
) with (
    -- Pages are read from indexes alone as long as vacuum keeps up with what is inserted.
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_vacuum_scale_factor = 0.05
);

-- Each is read forwards and backwards; the id makes the order total, so that no row is on two pages.
create index audit_created_at on audit (created_at, id);
-- A search for a text within titles reads all of the narrow title indexes and, for what they include, nothing else.
-- Grams (pg_trgm, or arrays of them) were slower for any text that many of 10,000 titles hold.
create index audit_title on audit (title_key, id) include (status, created_at);
create index audit_status_created_at on audit (status, created_at, id);
create index audit_status_title on audit (status, title_key, id) include (created_at);

-- How many rows each status has, kept by the trigger below. Each connection counts in one of 16 slots, so that those
-- who insert at once do not wait for each other's commit; the sum is exact in every snapshot.
create table audit_count (
    status audit_status not null,
    slot   integer not null,
    rows   bigint not null,
    primary key (status, slot)
) with (fillfactor = 50);

create function count_audit() returns trigger
language plpgsql
as $$
begin
    if tg_op = 'TRUNCATE' then
        truncate audit_count;
    elsif tg_op = 'INSERT' then
        insert into audit_count (status, slot, rows)
        select status, pg_backend_pid() % 16, count(*) from added group by status order by status
        on conflict (status, slot) do update set rows = audit_count.rows + excluded.rows;
    elsif tg_op = 'DELETE' then
        insert into audit_count (status, slot, rows)
        select status, pg_backend_pid() % 16, -count(*) from removed group by status order by status
        on conflict (status, slot) do update set rows = audit_count.rows + excluded.rows;
    else
        -- In the order of status, so that two connections of one slot cannot wait for each other.
        insert into audit_count (status, slot, rows)
        select status, pg_backend_pid() % 16, sum(change)
        from (select status, 1 as change from added union all select status, -1 from removed) as changes
        group by status having sum(change) <> 0 order by status
        on conflict (status, slot) do update set rows = audit_count.rows + excluded.rows;
    end if;
    return null;
end
$$;

create trigger audit_inserted after insert on audit
    referencing new table as added for each statement execute function count_audit();
create trigger audit_updated after update on audit
    referencing new table as added old table as removed for each statement execute function count_audit();
create trigger audit_deleted after delete on audit
    referencing old table as removed for each statement execute function count_audit();
create trigger audit_truncated after truncate on audit
    for each statement execute function count_audit();
