drop table deleted_turns;
drop table message_feedback;
drop table messages;
drop table turns;
drop table chat_sessions;
drop type turn_state;
drop type message_role;
