-- name: append_events
-- Many events, in COPY's binary form.
copy events (sequence, recorded, time, identity, source, kind, project, actor, outcome, severity, subject, terms, body)
from stdin (format binary);

-- name: writer
-- One writer at a time, of all processes; the others wait.
select value from state where name = 'head' for update;

-- name: add_count
-- Move a roll-up up or down.
insert into counts (field, width, value, start, n)
select * from unnest(%s::text[], %s::int[], %s::text[], %s::bigint[], %s::bigint[])
on conflict (field, width, value, start) do update set n = counts.n + excluded.n;

-- name: drop_count
-- Roll-ups that came down to nothing.
delete from counts using unnest(%s::text[], %s::int[], %s::text[], %s::bigint[]) as gone (field, width, value, start)
where counts.field = gone.field and counts.width = gone.width and counts.value = gone.value
    and counts.start = gone.start and counts.n <= 0;

-- name: widen_block
-- The times that happened in a block.
insert into blocks (block, low, high) select * from unnest(%s::bigint[], %s::bigint[], %s::bigint[])
on conflict (block) do update set low = least(blocks.low, excluded.low), high = greatest(blocks.high, excluded.high);

-- name: widen_hour
-- The sequences of an hour.
insert into hours (hour, first, last) select * from unnest(%s::bigint[], %s::bigint[], %s::bigint[])
on conflict (hour) do update set first = least(hours.first, excluded.first), last = greatest(hours.last, excluded.last);

-- name: state
-- Head and floor.
select name, value from state;

-- name: raise_state
-- Head and floor never go back.
update state set value = greatest(value, %s) where name = %s returning value;

-- name: present
-- Whether a sequence is there.
select 1 from events where sequence = %s;

-- name: span
-- Head, floor, the oldest event that is left, and how many there are (from the roll-ups).
select (select value from state where name = 'head'), (select value from state where name = 'floor'),
    (select sequence from events order by sequence limit 1),
    (select coalesce(sum(n), 0)::bigint from counts where field = '' and width = 86400 and value = '');

-- name: known
-- The first event of each identity.
select identity, min(sequence) from events where identity = any(%s) group by identity;

-- name: recorded_at
-- When the first event at or after a sequence was recorded.
select sequence, recorded from events where sequence >= %s order by sequence limit 1;

-- name: range_up
-- Events between two sequences, oldest first.
select sequence, recorded, body from events where sequence between %s and %s order by sequence limit %s;

-- name: range_down
-- Events between two sequences, newest first.
select sequence, recorded, body from events where sequence between %s and %s order by sequence desc limit %s;

-- name: walk_up
-- Events that fit, by looking at each: for what is frequent.
select sequence, recorded, body from events
where sequence between %s and %s and terms @@ %s::tsquery order by sequence limit %s;

-- name: walk_down
-- The same, newest first.
select sequence, recorded, body from events
where sequence between %s and %s and terms @@ %s::tsquery order by sequence desc limit %s;

-- name: match_up
-- Events that the index finds, oldest first. The query holds the marks of the blocks of sequences to look in. What the
-- index finds is gathered first, or the planner may walk all events in order.
with found as materialized (
    select sequence, recorded, body from events where terms @@ %s::tsquery and recorded between %s and %s
)
select sequence, recorded, body from found where sequence between %s and %s order by sequence limit %s;

-- name: match_down
-- The same, newest first.
with found as materialized (
    select sequence, recorded, body from events where terms @@ %s::tsquery and recorded between %s and %s
)
select sequence, recorded, body from found where sequence between %s and %s order by sequence desc limit %s;

-- name: recorded_range
-- Between which times the events between two sequences were recorded.
select min(hour), max(hour) from hours where last >= %s and first <= %s;

-- name: block_range
-- The blocks in which something happened between two times.
select min(block), max(block) from blocks where high >= %s and low <= %s;

-- name: hour_ranges
-- Sequences by hour of recording.
select hour, first, last from hours where hour between %s and %s order by hour;

-- name: rolled
-- Roll-ups of a field by value and time. The days say which values there are, so that each is one short range.
select value, start, n from counts
where field = %s and width = %s and start between %s and %s and value = any(array(
    select distinct value from counts where field = %s and width = 86400 and start between %s and %s
));

-- name: rolled_sums
-- Roll-ups of a field by value, over a range of time.
select value, sum(n)::bigint from counts where field = %s and width = %s and start between %s and %s group by value;

-- name: rolled_value
-- Roll-ups of one value by time.
select value, start, n from counts where field = %s and width = %s and value = %s and start between %s and %s;

-- name: dictionaries
-- What bodies are packed with.
select number, body from dictionaries;

-- name: add_dictionary
-- Learned by this store.
insert into dictionaries (number, body) values (%s, %s) on conflict do nothing returning number;

-- name: forget_events
-- Remove events.
delete from events where sequence = any(%s);

-- name: group_rows
-- What is needed to count events one by one.
select recorded, time, source, kind, project, actor, outcome, severity from events
where sequence between %s and %s order by sequence;

-- name: group_matches
-- The same for events that the index finds.
select recorded, time, source, kind, project, actor, outcome, severity from events
where terms @@ %s::tsquery and sequence between %s and %s;

-- name: partitions
-- The months that have a place.
select relname from pg_class where relispartition and relname like 'events\_%%' and relkind = 'r'
    and relnamespace = current_schema()::regnamespace;
