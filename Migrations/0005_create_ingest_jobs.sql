-- Uploads of the book: one job runs at a time, over all processes; the others wait in the order of queued_at.

-- receiving: its documents are being uploaded. superseded: an upload of the whole book took its place.
create type ingest_job_state as enum ('receiving', 'waiting', 'running', 'completed', 'failed', 'cancelled', 'superseded');

create table ingest_jobs (
    id               uuid primary key,
    state            ingest_job_state not null default 'receiving',
    -- The upload is the whole book: documents that it lacks are removed from the index.
    prune            boolean not null,
    -- A dry run: the report says what would change.
    plan             boolean not null,
    queued_at        timestamptz,
    -- The process that receives or runs it, and when its lease expires. Each new owner has a higher attempt.
    lease_owner      uuid,
    lease_until      timestamptz,
    attempt          integer not null default 0,
    -- How many processes died with it since it last ingested a document. The number is limited, as the job may be the cause.
    stalls           integer not null default 0,
    cancel_requested boolean not null default false,
    superseded_by    uuid references ingest_jobs (id) on delete set null,
    -- Counts, written at every beat, and lists, which grow: paths with reasons.
    report           jsonb not null default '{}',
    skipped          jsonb not null default '[]',
    failed           jsonb not null default '[]',
    warnings         jsonb not null default '[]',
    error            json,
    created_at       timestamptz not null default now(),
    started_at       timestamptz,
    ended_at         timestamptz,
    constraint ingest_jobs_ended check ((state in ('receiving', 'waiting', 'running')) = (ended_at is null))
);

-- One job runs at a time: a second claim at the same moment violates this.
create unique index ingest_jobs_running on ingest_jobs (state) where state = 'running';
create index ingest_jobs_open on ingest_jobs (queued_at) where ended_at is null;
create index ingest_jobs_created_at on ingest_jobs (created_at);
create index ingest_jobs_superseded_by on ingest_jobs (superseded_by) where superseded_by is not null;

-- The uploaded documents, deleted when their job ends.
create table ingest_job_documents (
    job_id   uuid not null references ingest_jobs (id) on delete cascade,
    position integer not null,
    path     text not null,
    title    text,
    url      text,
    content  text not null,
    -- Why it cannot be ingested, if that was found during the upload; the content is empty then.
    problem  text,
    -- What the built site has of it, if the upload says that: the ids of its headings, and its place in the sidebar.
    on_site  json,
    constraint ingest_job_documents_pkey primary key (job_id, position)
);
