-- A conversation, its turns, and the messages that its turns left.
--
-- A turn is one question and its answer. Turn n of a session holds the positions 2n-1 (the question) and 2n (the
-- answer), so positions are gap-free and a question is followed by its own answer, whatever runs beside it.
-- Where the answer could not be given, a system message stands in its place and says so.

create type message_role as enum ('user', 'assistant', 'system');
create type turn_state as enum ('running', 'completed', 'failed');

create table chat_sessions (
    id         uuid primary key,
    -- The subject of the bearer token that started it; null: whoever knows the id.
    user_id    text,
    -- How many turns were ever asked: the next turn's number less one.
    turn_count integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index chat_sessions_user_id on chat_sessions (user_id) where user_id is not null;

create table turns (
    id                uuid primary key,
    session_id        uuid not null references chat_sessions (id) on delete cascade,
    number            integer not null,
    state             turn_state not null default 'running',
    -- What was asked, whole, so that any process can answer it: message, selected_text, page_url.
    -- (json, not jsonb, here and below: what is stored is given back to the byte.)
    request           json not null,
    -- Whose keys they are: a session's, a user's, or 'anonymous', where keys are UUIDs. Two clients may choose the same one.
    idempotency_scope text,
    idempotency_key   text,
    request_hash      bytea,
    -- Who works on it, and until when nobody else may. Each new owner has a higher attempt, and only the highest may end the turn.
    lease_owner       uuid,
    lease_until       timestamptz,
    attempt           integer not null default 1,
    -- Which request for the turn began the attempt: its statement, repeated after a lost reply, recognises its own first try.
    claim_id          uuid,
    -- How many processes died with it since its reader asked for it last: a turn that ends each process is given up.
    takeovers         integer not null default 0,
    -- What the running attempt has found and written so far, for readers on other replicas: the passages with the citations,
    -- and the text as UTF-16, in which the ids of a stream's events count. What is new is added to it at each beat.
    partial_sources   json,
    partial_text      bytea not null default '',
    response          json,
    error             json,
    grounding         text,
    model             text,
    input_tokens      integer,
    output_tokens     integer,
    latency_ms        integer,
    created_at        timestamptz not null default now(),
    ended_at          timestamptz,
    constraint turns_session_number unique (session_id, number),
    constraint turns_idempotency_key unique (idempotency_scope, idempotency_key),
    constraint turns_ended check ((state = 'running') = (ended_at is null))
);

-- The few that run are looked for often; the many that ended are not in the index.
create index turns_running on turns (lease_until) where state = 'running';
create index turns_created_at on turns (created_at);

create table messages (
    id         uuid primary key,
    session_id uuid not null references chat_sessions (id) on delete cascade,
    turn_id    uuid not null references turns (id) on delete cascade,
    position   integer not null,
    role       message_role not null,
    content    text not null,
    citations  json not null default '[]',
    created_at timestamptz not null default now(),
    constraint messages_session_position unique (session_id, position)
);

create index messages_turn_id on messages (turn_id);

create table message_feedback (
    message_id uuid primary key references messages (id) on delete cascade,
    rating     text not null check (rating in ('up', 'down')),
    comment    text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
