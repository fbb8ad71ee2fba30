drop table audit;
drop type audit_status;
