drop table passage_terms;
drop table passage_vectors;
drop table passages;
drop table documents;
