-- Records, what they left behind, instances, schedules, leases, and what each writer wrote last.
-- compatible from: 1

-- Ids are compared byte by byte, as Python does. Room is left in every page, so that a change of status stays in it.
create table outlive_record (
    id text collate "C" not null primary key,
    func text collate "C" not null,
    func_name text collate "C" not null,
    status text not null,
    -- The status of a record that has ended. Indexes name this one and never `status`: a start that changes no indexed
    -- column costs a third of one that does.
    final text generated always as (case when status in ('pending', 'running') then null else status end) stored,
    created_at timestamptz not null,
    run_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    attempts integer not null default 0,
    fence integer not null default 0,
    owner text collate "C",
    error text,
    stacktrace text,
    reason text,
    cancel_requested boolean not null default false,
    recoverable boolean not null,
    requeue_on_interrupt boolean not null,
    priority integer,
    queue text not null,
    source text not null,
    timing text not null,
    executor text not null,
    label text,
    schedule text,
    idempotency_key text,
    run_key text,
    -- The run key as long as it is held: until the run starts or ends.
    held_run_key text generated always as (case when status = 'pending' and fence = 0 then run_key end) stored,
    tags text,
    arguments text,
    summary text,
    options text,
    check (status in ('pending', 'running', 'success', 'failed', 'interrupted', 'cancelled', 'rejected')),
    check ((status in ('pending', 'running')) = (ended_at is null)),
    check (fence >= 0 and attempts >= 0)
) with (
    fillfactor = 90,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05
);

-- A key is held while its record waits, runs or has succeeded.
create unique index outlive_record_key on outlive_record (idempotency_key)
where idempotency_key is not null and (final is null or final = 'success');

create unique index outlive_record_run_key on outlive_record (held_run_key) where held_run_key is not null;

-- What is to run when.
create index outlive_record_planned on outlive_record (run_at, id) where held_run_key is not null;

-- What anybody may claim, best first.
create index outlive_record_free on outlive_record ((coalesce(priority, 0)) desc, run_at, id)
where final is null and owner is null;

-- What lives, by who holds it, and what nobody holds: rescues, and lists of live statuses.
create index outlive_record_live on outlive_record (owner, id) where final is null and owner is not null;
create index outlive_record_waiting on outlive_record (id) where final is null and owner is null;

-- Which records of an instance somebody has asked to cancel.
create index outlive_record_asked on outlive_record (owner) where cancel_requested and final is null;

-- Whether a run of a schedule has not ended yet.
create index outlive_record_schedule on outlive_record (schedule) where schedule is not null and final is null;

-- What a schedule has run.
create index outlive_record_of_schedule on outlive_record (schedule, id) where schedule is not null;

-- Lists of what has ended, by status and by function, and what may be pruned.
create index outlive_record_final on outlive_record (final, id) where final is not null;
create index outlive_record_func on outlive_record (func, func_name, id) where final is not null;
create index outlive_record_ended on outlive_record (ended_at) where ended_at is not null;

-- Attempts that their record has left behind; the last one stands in the record itself.
create table outlive_attempt (
    task_id text collate "C" not null,
    number integer not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    outcome text not null,
    error text,
    stacktrace text,
    owner text,
    primary key (task_id, number)
);

create table outlive_log (
    seq bigint generated always as identity primary key,
    task_id text collate "C" not null,
    attempt integer not null,
    at timestamptz not null,
    level text not null,
    message text not null
);

create index outlive_log_task on outlive_log (task_id, seq);

-- Ids that were given out for runs which another record already stood for, by its idempotency key.
create table outlive_alias (
    id text collate "C" not null primary key,
    record_id text collate "C" not null
);

create index outlive_alias_record on outlive_alias (record_id);

create table outlive_instance (
    id text collate "C" not null primary key,
    host text not null,
    pid integer not null,
    started_at timestamptz not null,
    lease double precision not null,
    beat_at timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- What a process wrote last. Who loses the connection while a transaction ends learns here whether it took effect.
create table outlive_writer (
    id text not null primary key,
    seq bigint not null,
    places integer[] not null,
    ids text[] not null,
    at timestamptz not null
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Schedules: when each fires next, and what became of its slots. A slot is told from others by its moment, in seconds
-- since the epoch by the clocks of the applications, to the last bit.
create table outlive_schedule (
    name text collate "C" not null primary key,
    func text not null,
    rule text not null,
    next_at double precision,
    paused boolean not null default false,
    last_at double precision,
    last_id text,
    missed integer not null default 0,
    missed_at double precision,
    missed_reason text,
    policy text not null default '',
    declared text
) with (fillfactor = 80);

create index outlive_schedule_next on outlive_schedule (next_at, name) where not paused and next_at is not null;

-- Slots that became no run.
create table outlive_schedule_gap (
    seq bigint generated always as identity primary key,
    schedule text collate "C" not null,
    slot double precision not null,
    count integer not null,
    at double precision not null,
    reason text
);

create index outlive_schedule_gap_schedule on outlive_schedule_gap (schedule, seq);
