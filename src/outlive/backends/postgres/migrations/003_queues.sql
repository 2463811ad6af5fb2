-- What was set for queues at run time, who holds a place under which limit, and what people did.
-- compatible from: 1

create table outlive_queue (
    name text collate "C" not null primary key,
    is_set boolean not null,
    concurrency integer,
    max_size integer,
    global_concurrency integer,
    paused boolean not null
);

-- A place counts while the attempt under this fence runs, so that no way for an attempt to end has to give it back.
create table outlive_place (
    key text collate "C" not null,
    task_id text collate "C" not null,
    fence integer not null,
    primary key (key, task_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

create index outlive_place_task on outlive_place (task_id);

-- The last attempt of a record that was permitted to start.
create table outlive_permit (
    task_id text collate "C" not null primary key,
    fence integer not null
);

-- Until when a rate is used up to its last start, in seconds since the epoch by the server's clock.
create table outlive_rate (
    key text collate "C" not null primary key,
    used_until double precision not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Take a place under each limit, or none; a limit is its key, how many, in how many seconds, and seconds for each.
create function outlive_take_permit(
    this text, at_fence integer, whose text, moment double precision, limits jsonb, asks boolean
)
returns boolean language plpgsql as $$
declare
    one jsonb;
begin
    perform from outlive_record as record
    where record.id = this and record.status = 'pending' and record.fence = at_fence and record.owner = whose;
    if not found then
        return false;
    end if;
    for one in select * from jsonb_array_elements(limits) loop
        if not outlive_has_room(one ->> 0, (one ->> 1)::integer, (one ->> 2)::float8, (one ->> 3)::float8, moment) then
            return false;
        end if;
    end loop;
    if asks then
        return true;
    end if;
    insert into outlive_permit (task_id, fence) values (this, at_fence)
    on conflict (task_id) do update set fence = excluded.fence;
    insert into outlive_place (key, task_id, fence)
    select value ->> 0, this, at_fence + 1 from jsonb_array_elements(limits) where value ->> 2 is null
    on conflict (key, task_id) do update set fence = excluded.fence;
    insert into outlive_rate as rate (key, used_until)
    select value ->> 0, moment + (value ->> 3)::float8 from jsonb_array_elements(limits) where value ->> 2 is not null
    on conflict (key) do update
    set used_until = greatest(rate.used_until, moment) + (excluded.used_until - moment);
    return true;
end $$;

-- Whether a limit has room for one more; places of attempts that have ended are forgotten first. One that is permitted
-- and starts in this transaction holds its own.
create function outlive_has_room(
    this text, most integer, per double precision, pace double precision, moment double precision
)
returns boolean language plpgsql as $$
begin
    if per is not null then
        return coalesce(
            (select greatest(rate.used_until, moment) from outlive_rate as rate where rate.key = this), moment
        ) + pace <= moment + per;
    end if;
    delete from outlive_place as place where place.key = this and not exists (
        select from outlive_record as record where record.id = place.task_id and (
            (record.status = 'running' and record.fence = place.fence)
            or (record.status = 'pending' and record.fence = place.fence - 1)
        )
    );
    return (select count(*) from outlive_place as place where place.key = this) < most;
end $$;

create table outlive_audit (
    id text collate "C" not null primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    target text,
    detail text not null
);

-- What was done to one thing.
create index outlive_audit_target on outlive_audit (target, id) where target is not null;
