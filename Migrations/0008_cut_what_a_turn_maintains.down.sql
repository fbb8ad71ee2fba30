drop index turns_idempotency_key;
alter table turns add constraint turns_idempotency_key unique (idempotency_scope, idempotency_key);
create index messages_turn_id on messages (turn_id);
alter table messages add constraint messages_turn_id_fkey foreign key (turn_id) references turns (id) on delete cascade;
