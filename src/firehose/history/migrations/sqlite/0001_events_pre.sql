-- The events. `sequence` is the stream's own and the cursor; `body` is the frame as the stream stored it, packed.
create table events (
    sequence integer primary key,
    recorded integer not null,   -- microseconds since 1970: when the stream stored it
    time     integer not null,   -- microseconds since 1970: when it happened
    identity blob    not null,   -- 16 bytes of (source, id)
    source   text    not null,
    kind     text    not null,
    project  text    not null,
    actor    text    not null,
    outcome  text    not null,
    severity text    not null,
    subject  text    not null,
    body     blob    not null
);
create index events_identity on events (identity);

-- Words and marks of every event: text, fields and refs in one inverted index, read in order of the sequence.
create virtual table words using fts5 (terms, content = '', columnsize = 0, tokenize = "ascii tokenchars '_'");

-- Roll-ups: events by value and time of recording. `width` is 3600 or 86400 seconds, `start` in units of `width`.
create table counts (
    field text    not null,
    width integer not null,
    value text    not null,
    start integer not null,
    n     integer not null,
    primary key (field, width, value, start)
) without rowid;

-- Between which times the events of a block of 4,096 sequences happened: where a range of `time` can be.
create table blocks (block integer primary key, low integer not null, high integer not null);

-- The first and last sequence recorded in each hour.
create table hours (hour integer primary key, first integer not null, last integer not null);

create table dictionaries (number integer primary key, body blob not null);

-- `head`: the last sequence ever recorded, also when it was forgotten since. `floor`: everything up to it was forgotten.
create table state (name text primary key, value integer not null) without rowid;
insert into state values ('head', 0), ('floor', 0);
