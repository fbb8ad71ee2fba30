-- Translated segments of text: what was paid for once is not paid for again.

create table translations (
    -- Who may read it: 'book' for text of the book, else 'user <subject>' or 'client <hash of the day>'.
    scope         text not null,
    -- SHA-256 of the segment with its placeholders, the languages, the model, the terms and the version of the prompt.
    key           bytea not null,
    -- With its placeholders. Null while a process translates it.
    translation   text,
    -- The work that translates it. Others wait until claimed_until, and then take it over.
    claimed_by    uuid,
    claimed_until timestamptz,
    -- Rows that nobody has used for long are deleted.
    used_on       date not null default current_date,
    constraint translations_pkey primary key (scope, key),
    constraint translations_claim check ((translation is null) = (claimed_by is not null) and (claimed_by is null) = (claimed_until is null))
);

create index translations_used_on on translations (used_on);
