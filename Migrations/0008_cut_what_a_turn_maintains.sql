-- What each turn paid for, and few statements need.

-- A message belongs to its session, and is deleted with it. Its turn is of the same session: the statement that inserts a message holds the
-- row of its turn, and turns are deleted only with their sessions. So no message can be left without its turn, and the second check
-- and the second index are not needed. Messages of a turn are found by the session and the turn's id.
alter table messages drop constraint messages_turn_id_fkey;
drop index messages_turn_id;

-- A question without a key is not found by one. A unique constraint would have an entry for each of its versions.
alter table turns drop constraint turns_idempotency_key;
create unique index turns_idempotency_key on turns (idempotency_scope, idempotency_key) where idempotency_key is not null;
