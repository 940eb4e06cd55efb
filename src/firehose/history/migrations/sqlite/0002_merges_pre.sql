-- Merge the index's segments sixteen at a time, not four: each entry is written again half as often, and a search
-- looks into some more segments.
insert into words (words, rank) values ('automerge', 16);
