"""The one query language: Lucene syntax as text, as a tree, as a predicate, as words. SQL is the history's."""
