-- The book: its documents, the passages they were cut into, and the inverted index over the passages' terms.

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
    -- The size of the corpus is read from here, one row per document.
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
    -- The passage's key in the index: 4 bytes per posting instead of 16.
    number       integer generated always as identity,
    document_id  uuid not null references documents (id) on delete cascade,
    position     integer not null,
    heading      text not null,
    heading_path text[] not null,
    url          text not null,
    text         text not null,
    term_count   integer not null,
    -- UUIDv5 of headings, text and embedding model: a moved passage finds its vector by it, and the plan of an ingest a moved page.
    content_key  uuid not null,
    created_at   timestamptz not null default now(),
    constraint passages_number unique (number),
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

create table passage_terms (
    -- "C": terms are only ever compared for equality, and bytes compare fastest.
    term           text collate "C" not null,
    passage_number integer not null references passages (number) on delete cascade,
    frequency      integer not null,
    -- A copy of the passage's term_count, so that ranking reads only this index.
    passage_length integer not null,
    constraint passage_terms_pkey primary key (term, passage_number) include (frequency, passage_length)
) with (
    -- Index-only scans need the visibility map that vacuum keeps: after 2% of change instead of 20%.
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
);

create index passage_terms_passage_number on passage_terms (passage_number);
