-- What signed-in readers say about themselves. It personalizes their answers.

create table profiles (
    user_id             text primary key,
    display_name        text,
    preferred_language  text,
    software_experience text,
    hardware_experience text,
    interests           text[] not null default '{}',
    learning_goals      text,
    -- Grows with every change: the entity tag. It begins at a random number, so that the tag of a profile that was erased fits no later one.
    version             integer not null default 1 + floor(random() * 1000000000),
    -- The request that created it. A retry after a lost reply finds itself here, and answers 201 again.
    created_by          uuid not null,
    -- The requests that wrote the last versions, at most eight. A retry after a lost reply finds its own change here.
    change_ids          uuid[] not null,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    constraint profiles_software_experience check (software_experience in ('none', 'beginner', 'intermediate', 'advanced')),
    constraint profiles_hardware_experience check (hardware_experience in ('none', 'beginner', 'intermediate', 'advanced'))
);
