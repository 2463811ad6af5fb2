-- Records, what they left behind, instances, and a count of what has ended.
-- compatible from: 1

create table outlive_record (
    id text not null primary key,
    func text not null,
    func_name text not null,
    status text not null,
    created_at real not null,
    run_at real not null,
    started_at real,
    ended_at real,
    attempts integer not null default 0,
    fence integer not null default 0,
    owner text,
    error text,
    stacktrace text,
    reason text,
    cancel_requested integer not null default 0,
    recoverable integer not null,
    requeue_on_interrupt integer not null,
    priority integer,
    queue text not null,
    source text not null,
    timing text not null,
    executor text not null,
    label text,
    idempotency_key text,
    tags text,
    arguments text,
    summary text,
    options text,
    -- One by one, and the frequent ones first: each statement would build a table of its own for a longer list of values.
    check (
        status = 'success' or status = 'running' or status = 'pending' or status = 'failed' or status = 'interrupted'
        or status = 'cancelled' or status = 'rejected'
    ),
    check ((status in ('pending', 'running')) = (ended_at is null)),
    check (fence >= 0 and attempts >= 0)
);

-- A key is held while its record waits, runs or has succeeded.
create unique index outlive_record_key on outlive_record (idempotency_key)
    where idempotency_key is not null and status in ('pending', 'running', 'success');

-- What anybody may claim, best first.
create index outlive_record_free on outlive_record (coalesce(priority, 0) desc, run_at, id)
    where status = 'pending' and owner is null;

-- What an instance holds.
create index outlive_record_held on outlive_record (owner)
    where ended_at is null and owner is not null;

-- Lists by status. In two halves: the live one stays small, so that the changes of a task on its way are cheap.
create index outlive_record_live on outlive_record (status, id) where ended_at is null;
create index outlive_record_final on outlive_record (status, id) where ended_at is not null;

-- Lists by function, and which functions there are.
create index outlive_record_func on outlive_record (func, func_name, id);

-- What may be pruned.
create index outlive_record_ended on outlive_record (status, ended_at) where ended_at is not null;

-- Attempts that their record has left behind; the last one stands in the record itself.
create table outlive_attempt (
    task_id text not null references outlive_record (id) on delete cascade,
    number integer not null,
    started_at real not null,
    ended_at real,
    outcome text not null,
    error text,
    stacktrace text,
    owner text,
    primary key (task_id, number)
) without rowid;

create table outlive_log (
    seq integer primary key,
    task_id text not null references outlive_record (id) on delete cascade,
    attempt integer not null,
    at real not null,
    level text not null,
    message text not null
);

create index outlive_log_task on outlive_log (task_id, seq);

create table outlive_instance (
    id text not null primary key,
    host text not null,
    pid integer not null,
    started_at real not null,
    lease real not null,
    beat_at real not null
);

-- How many records have ended how: counting a million rows takes too long. Triggers, so that no writer can forget.
create table outlive_count (
    status text not null primary key,
    records integer not null
) without rowid;

insert into outlive_count (status, records)
values ('success', 0), ('failed', 0), ('interrupted', 0), ('cancelled', 0), ('rejected', 0);

create trigger outlive_record_arrives_ended after insert on outlive_record
when new.ended_at is not null
begin
    update outlive_count set records = records + 1 where status = new.status;
end;

create trigger outlive_record_ends after update of ended_at on outlive_record
when new.ended_at is not null and old.ended_at is null
begin
    update outlive_count set records = records + 1 where status = new.status;
end;

create trigger outlive_record_comes_back after update of ended_at on outlive_record
when new.ended_at is null and old.ended_at is not null
begin
    update outlive_count set records = records - 1 where status = old.status;
end;

create trigger outlive_record_goes after delete on outlive_record
when old.ended_at is not null
begin
    update outlive_count set records = records - 1 where status = old.status;
end;
