drop table audit;
drop table audit_count;
drop function count_audit;
drop type audit_status;
