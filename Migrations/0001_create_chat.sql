-- Conversations, their turns and their messages.
--
-- A turn is one question and its answer. Turn n of a session has positions 2n-1 (the question) and 2n (the answer), so
-- positions have no gaps and an answer directly follows its question, also when turns overlap.
-- If a turn fails, a system message takes the place of the answer. If its reader stops it, the answer is what was written so far.

create type message_role as enum ('user', 'assistant', 'system');
create type turn_state as enum ('running', 'completed', 'failed', 'stopped');

create table chat_sessions (
    id         uuid primary key,
    -- The subject of the bearer token that started it. If null, everybody who knows the id may read and continue it.
    user_id    text,
    -- The title that its reader gave it. If null, its first question is its title.
    title      text,
    -- The number of the latest turn.
    turn_count integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index chat_sessions_updated_at on chat_sessions (updated_at);
create index chat_sessions_user_id on chat_sessions (user_id, updated_at desc, id desc) where user_id is not null;

create table turns (
    id                uuid primary key,
    session_id        uuid not null references chat_sessions (id) on delete cascade,
    number            integer not null,
    state             turn_state not null default 'running',
    -- The whole question (message, selected_text, page_url), so that any process can answer it.
    -- json, not jsonb, here and below: it is returned byte for byte.
    request           json not null,
    -- Where the key is unique: in a session, for a user, or 'anonymous', where keys are UUIDs. Two clients may choose the same key.
    idempotency_scope text,
    idempotency_key   text,
    request_hash      bytea,
    -- The process that answers it, and when its lease expires. Each new owner has a higher attempt, and only the highest may end the turn.
    lease_owner       uuid,
    lease_until       timestamptz,
    attempt           integer not null default 1,
    -- The request that began the attempt. A retry after a lost reply recognises by it that the first try was committed.
    claim_id          uuid,
    -- How many processes died with it since its reader last asked for it. The number is limited, as the turn may be the cause.
    takeovers         integer not null default 0,
    -- Set while it runs, for the process that answers it. Nobody asks the model for it after that.
    stop_requested_at timestamptz,
    -- The requests whose clients wait for it. Those of OpenAI's and MCP's doors cannot come back, so they leave it when they go away; the last
    -- one to leave stops the turn. Ids and not their number, because a statement whose reply was lost is sent again.
    followers         uuid[] not null default '{}',
    -- Who its tokens are counted for while it runs (token_usage), and how many of the running attempt are counted.
    token_day         date,
    token_client      text,
    counted_tokens    bigint not null default 0,
    -- True if the day's budget was spent when it was asked: the book is quoted without a model.
    is_offline        boolean not null default false,
    -- The passages, citations and text of the running attempt so far, for readers on other replicas. The text is UTF-16, because
    -- the ids of a stream's events count UTF-16 code units. New text is appended at every beat.
    partial_sources   json,
    partial_text      bytea not null default '',
    -- The later turn that asked its question, or one before it, again. The turn is then in no prompt and no list.
    superseded_by     uuid,
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
)
-- The rest of a page is for the new versions of its rows, of which a running turn has one a second.
with (fillfactor = 70);

-- Few turns are running, and they are looked up often. The many that have ended are not in this index. It is not on lease_until,
-- which every beat changes: an update of a column in an index writes to all of the table's indexes.
create index turns_running on turns (created_at) where state = 'running';
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

-- What insights count of conversations that were deleted, by the hour in which the turns began. It has no texts and no ids.
create table deleted_turns (
    hour          timestamptz primary key,
    completed     integer not null,
    failed        integer not null,
    stopped       integer not null,
    grounded      integer not null,
    partial       integer not null,
    none          integer not null,
    up            integer not null,
    down          integer not null,
    input_tokens  bigint not null,
    output_tokens bigint not null
);
