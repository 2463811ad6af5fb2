-- What was set for queues at run time, and who holds a place under which limit.
-- compatible from: 1

create table outlive_queue (
    name text not null primary key,
    is_set integer not null,
    concurrency integer,
    max_size integer,
    global_concurrency integer,
    paused integer not null
) without rowid;

-- A place counts while the attempt under this fence runs, so that no way for an attempt to end has to give it back.
create table outlive_place (
    key text not null,
    task_id text not null references outlive_record (id) on delete cascade,
    fence integer not null,
    primary key (key, task_id)
) without rowid;

create index outlive_place_task on outlive_place (task_id);

-- The last attempt of a record that was permitted to start.
create table outlive_permit (
    task_id text not null primary key references outlive_record (id) on delete cascade,
    fence integer not null
) without rowid;

-- Until when a rate is used up to its last start.
create table outlive_rate (
    key text not null primary key,
    used_until real not null
) without rowid;
