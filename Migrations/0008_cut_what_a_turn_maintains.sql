-- Removes what every turn maintained and few statements used.

-- In the order in which turns are opened and ended, so that those of a running replica and this migration do not wait for each other.
lock table turns, messages in access exclusive mode;

-- A message is deleted with its session. Its turn belongs to the same session and is deleted only with it, and the statement that inserts
-- a message locks the row of the turn. So no message is left without its turn, and the foreign key to turns is not needed. Messages of
-- a turn are found by session_id and turn_id, so the index on turn_id alone is not needed either.
alter table messages drop constraint messages_turn_id_fkey;
drop index messages_turn_id;

-- Only questions with a key are in the index. The index of the constraint had an entry for every version of every row.
alter table turns drop constraint turns_idempotency_key;
create unique index turns_idempotency_key on turns (idempotency_scope, idempotency_key) where idempotency_key is not null;
