drop table passage_terms;
drop table passages;
drop table documents;
