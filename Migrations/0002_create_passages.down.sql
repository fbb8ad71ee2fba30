drop table measured_similarity;
drop table passage_vectors;
drop table index_version;
drop table document_terms;
drop table passages;
drop table documents;
