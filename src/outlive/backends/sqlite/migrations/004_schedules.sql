-- Schedules: when each fires next, and what became of its slots.
-- compatible from: 1

create table outlive_schedule (
    name text not null primary key,
    func text not null,
    rule text not null,
    next_at real,
    paused integer not null default 0,
    last_at real,
    last_id text,
    missed integer not null default 0,
    missed_at real,
    missed_reason text
) without rowid;

-- What is due, and when the next is.
create index outlive_schedule_next on outlive_schedule (next_at, name) where not paused and next_at is not null;

-- The schedule whose slot a record is.
alter table outlive_record add column schedule text;

-- Whether a run of a schedule has not ended yet.
create index outlive_record_schedule on outlive_record (schedule) where schedule is not null and ended_at is null;
