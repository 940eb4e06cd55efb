-- name: append_event
-- One event.
insert into events (sequence, recorded, time, identity, source, kind, project, actor, outcome, severity, subject, body)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: append_words
-- Its words and marks.
insert into words (rowid, terms) values (?, ?);

-- name: drop_words
-- A contentless index needs the same words again to forget them.
insert into words (words, rowid, terms) values ('delete', ?, ?);

-- name: add_count
-- Move a roll-up up or down.
insert into counts (field, width, value, start, n) values (?, ?, ?, ?, ?)
on conflict do update set n = n + excluded.n;

-- name: drop_count
-- A roll-up that came down to nothing.
delete from counts where field = ? and width = ? and value = ? and start = ? and n <= 0;

-- name: widen_block
-- The times that happened in a block.
insert into blocks (block, low, high) values (?, ?, ?)
on conflict do update set low = min(low, excluded.low), high = max(high, excluded.high);

-- name: widen_hour
-- The sequences of an hour.
insert into hours (hour, first, last) values (?, ?, ?)
on conflict do update set first = min(first, excluded.first), last = max(last, excluded.last);

-- name: state
-- Head and floor.
select name, value from state;

-- name: raise_state
-- Head and floor never go back.
update state set value = max(value, ?) where name = ?;

-- name: present
-- Whether a sequence is there.
select 1 from events where sequence = ?;

-- name: span
-- Head, floor, the oldest event that is left, and how many there are (from the roll-ups).
select (select value from state where name = 'head'), (select value from state where name = 'floor'),
    (select min(sequence) from events),
    (select coalesce(sum(n), 0) from counts where field = '' and width = 86400 and value = '');

-- name: known
-- The first event with each of these identities, which are given as one blob, 16 bytes each.
with recursive given (place, identity) as (
    select 1, substr(?1, 1, 16)
    union all
    select place + 16, substr(?1, place + 16, 16) from given where place + 16 < length(?1)
)
select given.identity, min(events.sequence) from given cross join events on events.identity = given.identity
group by given.identity;

-- name: recorded_at
-- When the first event at or after a sequence was recorded.
select sequence, recorded from events where sequence >= ? order by sequence limit 1;

-- name: range_up
-- Events between two sequences, oldest first.
select sequence, recorded, body from events where sequence between ? and ? order by sequence limit ?;

-- name: range_down
-- Events between two sequences, newest first.
select sequence, recorded, body from events where sequence between ? and ? order by sequence desc limit ?;

-- name: match_up
-- Events that the index finds, oldest first.
select e.sequence, e.recorded, e.body from words w cross join events e on e.sequence = w.rowid
where w.terms match ? and w.rowid between ? and ? order by w.rowid limit ?;

-- name: match_down
-- Events that the index finds, newest first.
select e.sequence, e.recorded, e.body from words w cross join events e on e.sequence = w.rowid
where w.terms match ? and w.rowid between ? and ? order by w.rowid desc limit ?;

-- name: match_count
-- How much the index finds, without a look at the events.
select count(*) from words where terms match ? and rowid between ? and ?;

-- name: block_range
-- The blocks in which something happened between two times.
select min(block), max(block) from blocks where high >= ? and low <= ?;

-- name: hour_ranges
-- Sequences by hour of recording.
select hour, first, last from hours where hour between ? and ? order by hour;

-- name: rolled
-- Roll-ups of a field by value and time. The days say which values there are, so that each is one short range.
select value, start, n from counts
where field = ? and width = ? and start between ? and ? and value in (
    select value from counts where field = ? and width = 86400 and start between ? and ?
);

-- name: rolled_sums
-- Roll-ups of a field by value, over a range of time.
select value, sum(n) from counts where field = ? and width = ? and start between ? and ? group by value;

-- name: rolled_value
-- Roll-ups of one value by time.
select value, start, n from counts where field = ? and width = ? and value = ? and start between ? and ?;

-- name: dictionaries
-- What bodies are packed with.
select number, body from dictionaries;

-- name: add_dictionary
-- Learned by this store.
insert or ignore into dictionaries (number, body) values (?, ?);

-- name: forget_event
-- Remove one event.
delete from events where sequence = ?;

-- name: group_rows
-- What is needed to count events one by one.
select recorded, time, source, kind, project, actor, outcome, severity from events
where sequence between ? and ? order by sequence;

-- name: group_matches
-- The same for events that the index finds.
select e.recorded, e.time, e.source, e.kind, e.project, e.actor, e.outcome, e.severity
from words w cross join events e on e.sequence = w.rowid
where w.terms match ? and w.rowid between ? and ? order by w.rowid;
