drop table token_usage;
drop table token_days;
