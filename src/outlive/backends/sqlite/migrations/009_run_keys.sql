-- Runs that can be found and replaced by a key until they start; schedules that are changed at run time; their gaps.
-- compatible from: 1

alter table outlive_record add column run_key text;

-- A run key is held until the run starts or ends.
create unique index outlive_record_run_key on outlive_record (run_key)
    where run_key is not null and status = 'pending' and fence = 0;

-- What is to run when.
create index outlive_record_planned on outlive_record (run_at, id)
    where run_key is not null and status = 'pending' and fence = 0;

-- What a schedule has run.
create index outlive_record_of_schedule on outlive_record (schedule, id) where schedule is not null;

alter table outlive_schedule add column policy text not null default '';
alter table outlive_schedule add column declared text;

-- Slots that became no run.
create table outlive_schedule_gap (
    seq integer primary key,
    schedule text not null references outlive_schedule (name) on delete cascade,
    slot real not null,
    count integer not null,
    at real not null,
    reason text
);

create index outlive_schedule_gap_schedule on outlive_schedule_gap (schedule, seq);

-- A trigger, so that no writer can forget; it keeps the newest 20.
create trigger outlive_schedule_misses after update of missed on outlive_schedule
when new.missed > old.missed
begin
    insert into outlive_schedule_gap (schedule, slot, count, at, reason)
    values (new.name, old.next_at, new.missed - old.missed, new.missed_at, new.missed_reason);
    delete from outlive_schedule_gap where schedule = new.name and seq <= (
        select seq from outlive_schedule_gap where schedule = new.name order by seq desc limit 1 offset 20
    );
end;
