-- What signed-in readers say about themselves. It personalizes their answers.

create table profiles (
    user_id             text primary key,
    display_name        text,
    preferred_language  text,
    software_experience text,
    hardware_experience text,
    interests           text[] not null default '{}',
    learning_goals      text,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    constraint profiles_software_experience check (software_experience in ('none', 'beginner', 'intermediate', 'advanced')),
    constraint profiles_hardware_experience check (hardware_experience in ('none', 'beginner', 'intermediate', 'advanced'))
);
