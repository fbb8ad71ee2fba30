drop table audit;
drop table audit_count;
drop function count_audit;
drop function audit_grams;
drop type audit_status;
