-- The events, in one partition a month of recording. `sequence` is the stream's own and the cursor; `body` is the
-- frame as the stream stored it, packed; `terms` are its words (with positions) and marks, for one inverted index.
create table events (
    sequence bigint not null,
    recorded bigint not null,   -- microseconds since 1970: when the stream stored it
    time     bigint not null,   -- microseconds since 1970: when it happened
    identity bytea  not null,   -- 16 bytes of (source, id)
    source   text   not null,
    kind     text   not null,
    project  text   not null,
    actor    text   not null,
    outcome  text   not null,
    severity text   not null,
    subject  text   not null,
    terms    tsvector not null,
    body     bytea  not null,
    primary key (sequence, recorded)
) partition by range (recorded);
create index events_identity on events (identity);
create index events_terms on events using gin (terms) with (fastupdate = on, gin_pending_list_limit = 1024);
-- Bodies are packed already.
alter table events alter column body set storage external;

-- Roll-ups: events by value and time of recording. `width` is 3600 or 86400 seconds, `start` in units of `width`.
create table counts (
    field text   not null,
    width int    not null,
    value text   collate "C" not null,
    start bigint not null,
    n     bigint not null,
    primary key (field, width, value, start)
) with (fillfactor = 70);

-- Between which times the events of a block of 4,096 sequences happened: where a range of `time` can be.
create table blocks (block bigint primary key, low bigint not null, high bigint not null) with (fillfactor = 70);

-- The first and last sequence recorded in each hour.
create table hours (hour bigint primary key, first bigint not null, last bigint not null) with (fillfactor = 70);

create table dictionaries (number bigint primary key, body bytea not null);

-- `head`: the last sequence ever recorded, also when it was forgotten since. `floor`: everything up to it was forgotten.
create table state (name text primary key, value bigint not null);
insert into state values ('head', 0), ('floor', 0);
