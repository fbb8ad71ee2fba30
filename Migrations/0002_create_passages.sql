-- The book: its documents, the passages they were cut into, and the terms of the passages.

create table documents (
    id               uuid primary key,
    -- With forward slashes, as in the book's folder.
    path             text not null,
    title            text not null,
    url              text not null,
    -- SHA-256 of the source and the chunker's version.
    content_hash     text not null,
    -- For questions about the book itself: place in the sidebar, label, description, headings.
    outline          json not null default '{}',
    -- If the analyzer changes, its terms change too, and the passages are indexed again.
    analyzer_version integer not null,
    passage_count    integer not null,
    -- Of which model all its passages have vectors; empty if some have none.
    embedding_model      text not null default '',
    embedding_dimensions integer not null default 0,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    constraint documents_path unique (path)
);

create table passages (
    -- UUIDv5 of path and content.
    id           uuid primary key,
    document_id  uuid not null references documents (id) on delete cascade,
    position     integer not null,
    heading      text not null,
    heading_path text[] not null,
    url          text not null,
    text         text not null,
    -- UUIDv5 of headings, text and embedding model: a moved passage finds its vector by it, and the plan of an ingest a moved page.
    content_key  uuid not null,
    created_at   timestamptz not null default now(),
    constraint passages_document_position unique (document_id, position)
);

create index passages_content_key on passages (content_key);

-- Not a column of passages: an edit that moves a passage keeps its vector. Those that no passage has are deleted at the end of each ingest.
create table passage_vectors (
    -- passages.content_key
    content_key uuid primary key,
    model       text not null,
    dimensions  integer not null,
    -- Of length 1, in half precision (IEEE 754), little-endian.
    vector      bytea not null,
    created_at  timestamptz not null default now()
);

-- Numbers like these cannot be compressed.
alter table passage_vectors alter column vector set storage external;

-- How similar the book is to questions that it does not answer, measured at the end of each ingest.
create table measured_similarity (
    -- The embedding model.
    model       text primary key,
    value       double precision not null,
    dimensions  integer not null,
    -- A hash of the documents and the questions that it was measured with.
    basis       text not null,
    measured_at timestamptz not null default now()
);

create table document_terms (
    document_id uuid primary key references documents (id) on delete cascade,
    -- The version of the index that it belongs to: a process reads what is newer than what it holds.
    version     bigint not null,
    -- The terms of all passages, packed (PackedTerms.cs). Every process holds them in memory.
    terms       bytea not null
);

create index document_terms_version on document_terms (version);

-- One row. The last statement of each transaction that changes the book adds 1 to the version, so the lock of the row makes the versions follow
-- each other in the order of the commits.
create table index_version (
    id      boolean primary key default true check (id),
    version bigint not null default 0,
    -- Eight random characters for each of the last 100 versions, newest first. A failover may lose commits, and other ones then get their versions:
    -- a process reads the whole book if its version and stamp are not here.
    stamps  text not null default left(gen_random_uuid()::text, 8),
    -- The version of the last removal: only then does a process compare the documents that it holds with those that there are.
    removed bigint not null default 0
);

insert into index_version default values;
