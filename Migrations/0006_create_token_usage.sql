-- The tokens that models used, a day. Rows of earlier days are deleted when a new day begins.

-- The salt of the clients' hashes. Without it, nobody can find out whose row it was.
create table token_days (
    day  date primary key,
    salt bytea not null
);

create table token_usage (
    day    date not null,
    -- A hash of the token's subject or of the address. Empty: the whole service.
    client text not null,
    -- Each count takes the next one, because counts that end together would wait for each other at a single row.
    slot   smallint not null,
    tokens bigint not null,
    primary key (day, client, slot)
) with (fillfactor = 50);
