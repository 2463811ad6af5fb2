-- Leases, who waits for them, and what happened to them; each verb is one function, so that it is one round trip.
-- compatible from: 1

create table outlive_lease (
    key text collate "C" not null primary key,
    holder text not null,
    fence bigint not null,
    taken_at timestamptz not null,
    expires_at timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

create index outlive_lease_expiry on outlive_lease (expires_at);

-- In the order of their coming.
create table outlive_lease_waiter (
    seq bigint generated always as identity primary key,
    key text not null,
    holder text not null unique,
    until timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

create index outlive_lease_waiter_turn on outlive_lease_waiter (key, seq);
create index outlive_lease_waiter_until on outlive_lease_waiter (until);

create table outlive_lease_event (
    seq bigint generated always as identity primary key,
    key text not null,
    holder text not null,
    fence bigint not null,
    at timestamptz not null,
    event text not null,
    reason text
);

-- One count for all keys, so that a lease may be deleted and its tokens still only grow.
create sequence outlive_lease_fence;

-- One at a time for each key; what has run out is forgotten.
create function outlive_lease_enter(this text, moment timestamptz) returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended(this, 7316950021));
    delete from outlive_lease where key = this and expires_at <= moment;
    delete from outlive_lease_waiter where key = this and until <= moment;
end $$;

-- Give the free lease to whoever has waited longest, else to `asking`; null where there is nobody.
create function outlive_lease_grant(this text, asking text, seconds double precision, moment timestamptz)
returns text language plpgsql as $$
declare
    following text;
begin
    select holder into following from outlive_lease_waiter where key = this order by seq limit 1;
    following := coalesce(following, asking);
    if following is null then
        return null;
    end if;
    delete from outlive_lease_waiter where key = this and holder = following;
    -- Names that expired long ago and nobody asks for any more.
    delete from outlive_lease where key in (
        select key from outlive_lease where expires_at <= moment limit 8 for update skip locked
    );
    delete from outlive_lease_waiter where seq in (
        select seq from outlive_lease_waiter where until <= moment limit 8 for update skip locked
    );
    insert into outlive_lease (key, holder, fence, taken_at, expires_at)
    values (this, following, nextval('outlive_lease_fence'), moment, moment + make_interval(secs => seconds));
    return following;
end $$;

-- Take a lease or a place in the queue; whose it is, and who is to be called.
create function outlive_lease_take(
    this text, asking text, seconds double precision, patience double precision, handover double precision,
    moment timestamptz
)
returns table (holder text, fence bigint, taken_at timestamptz, expires_at timestamptz, called text)
language plpgsql as $$
declare
    granted text;
begin
    perform outlive_lease_enter(this, moment);
    if not exists (select from outlive_lease where key = this) then
        granted := outlive_lease_grant(this, asking, handover, moment);
    end if;
    update outlive_lease as lease set expires_at = moment + make_interval(secs => seconds)
    where lease.key = this and lease.holder = asking;
    if not found and patience > 0 then
        insert into outlive_lease_waiter as waiter (key, holder, until)
        values (this, asking, moment + make_interval(secs => patience))
        on conflict on constraint outlive_lease_waiter_holder_key do update set until = excluded.until;
    end if;
    return query
    select lease.holder, lease.fence, lease.taken_at, lease.expires_at, nullif(granted, asking)
    from outlive_lease as lease where lease.key = this;
end $$;

-- Give up a lease or a place in the queue; whether it was held, and who is to be called.
create function outlive_lease_drop(this text, asking text, handover double precision, moment timestamptz)
returns table (had boolean, called text) language plpgsql as $$
begin
    perform outlive_lease_enter(this, moment);
    delete from outlive_lease_waiter as waiter where waiter.key = this and waiter.holder = asking;
    delete from outlive_lease as lease where lease.key = this and lease.holder = asking;
    had := found;
    if had then
        called := outlive_lease_grant(this, null, handover, moment);
    end if;
    return next;
end $$;

-- Note what happened to a lease, and forget what happened long ago.
create function outlive_lease_note(
    this text, whose text, token bigint, moment timestamptz, happened text, why text, keep integer
)
returns void language plpgsql as $$
declare
    newest bigint;
begin
    insert into outlive_lease_event (key, holder, fence, at, event, reason)
    values (this, whose, token, moment, happened, why) returning seq into newest;
    delete from outlive_lease_event where seq <= newest - keep;
end $$;

-- Take a lease from whoever has it; whether anybody had, and who is to be called.
create function outlive_lease_force(
    this text, why text, handover double precision, keep integer, moment timestamptz
)
returns table (had boolean, called text) language plpgsql as $$
declare
    former record;
begin
    perform outlive_lease_enter(this, moment);
    delete from outlive_lease as lease where lease.key = this returning lease.holder, lease.fence into former;
    had := found;
    if had then
        perform outlive_lease_note(this, former.holder, former.fence, moment, 'forced', why, keep);
        called := outlive_lease_grant(this, null, handover, moment);
    end if;
    return next;
end $$;
