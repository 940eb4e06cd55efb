-- Sixteen segments is also where all of them are merged at once, in the transaction of whoever comes then: with millions
-- of events that stood for tens of seconds. Merging in small steps begins there; the great merge must stay far away.
insert into words (words, rank) values ('crisismerge', 64);
