-- Audit records, and an index for each order of their list.

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
    -- The requests that wrote the last versions, at most eight. A retry after a lost reply finds its own change here.
    change_ids          uuid[] not null default '{}',
    -- How often a model summarized the record. A request that waits returns the first newer summary.
    summaries           integer not null default 0,
    -- The request that has the model summarize the record, and when its lease expires.
    summary_lease_owner uuid,
    summary_lease_until timestamptz,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    constraint audit_title_length check (char_length(title) between 1 and 200),
    constraint audit_score_range check (score between 0 and 100),
    constraint audit_details_object check (jsonb_typeof(details) = 'object')
);

-- Each is read in both directions. The id decides between equals, so that no row is on two pages.
create index audit_created_at on audit (created_at, id);
create index audit_title on audit (title_key, id);
