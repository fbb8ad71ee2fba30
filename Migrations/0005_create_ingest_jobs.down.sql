drop table ingest_job_documents;
drop table ingest_jobs;
drop type ingest_job_state;
