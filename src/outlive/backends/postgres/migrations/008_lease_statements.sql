-- Fewer statements for each verb of the leases: a pair that nobody contends takes 12 where it took 17.
-- compatible from: 5

drop function outlive_lease_grant(text, text, double precision, timestamptz);

-- Give the free lease to somebody; now and then, forget names that expired long ago and nobody asks for any more.
create function outlive_lease_give(this text, whose text, seconds double precision, moment timestamptz)
returns void language plpgsql as $$
declare
    token bigint := nextval('outlive_lease_fence');
begin
    insert into outlive_lease (key, holder, fence, taken_at, expires_at)
    values (this, whose, token, moment, moment + make_interval(secs => seconds));
    if token % 16 = 0 then
        delete from outlive_lease where key in (
            select key from outlive_lease where expires_at <= moment limit 128 for update skip locked
        );
        delete from outlive_lease_waiter where seq in (
            select seq from outlive_lease_waiter where until <= moment limit 128 for update skip locked
        );
    end if;
end $$;

-- Give the free lease to whoever has waited longest, who has to confirm it; null where nobody waits.
create function outlive_lease_pass(this text, handover double precision, moment timestamptz)
returns text language plpgsql as $$
declare
    following text;
begin
    delete from outlive_lease_waiter where seq = (
        select seq from outlive_lease_waiter where key = this order by seq limit 1
    ) returning holder into following;
    if following is not null then
        perform outlive_lease_give(this, following, handover, moment);
    end if;
    return following;
end $$;

create or replace function outlive_lease_take(
    this text, asking text, seconds double precision, patience double precision, handover double precision,
    moment timestamptz
)
returns table (holder text, fence bigint, taken_at timestamptz, expires_at timestamptz, called text)
language plpgsql as $$
declare
    following text;
    is_free boolean := false;
begin
    perform outlive_lease_enter(this, moment);
    if not exists (select from outlive_lease where key = this) then
        following := outlive_lease_pass(this, handover, moment);
        is_free := following is null;
    end if;
    if is_free then
        perform outlive_lease_give(this, asking, seconds, moment);
    else
        update outlive_lease as lease set expires_at = moment + make_interval(secs => seconds)
        where lease.key = this and lease.holder = asking;
        if not found and patience > 0 then
            insert into outlive_lease_waiter as waiter (key, holder, until)
            values (this, asking, moment + make_interval(secs => patience))
            on conflict on constraint outlive_lease_waiter_holder_key do update set until = excluded.until;
        end if;
    end if;
    return query
    select lease.holder, lease.fence, lease.taken_at, lease.expires_at, nullif(following, asking)
    from outlive_lease as lease where lease.key = this;
end $$;

create or replace function outlive_lease_drop(
    this text, asking text, handover double precision, moment timestamptz
)
returns table (had boolean, called text) language plpgsql as $$
begin
    perform outlive_lease_enter(this, moment);
    delete from outlive_lease as lease where lease.key = this and lease.holder = asking;
    had := found;
    if had then
        called := outlive_lease_pass(this, handover, moment);
    else
        delete from outlive_lease_waiter as waiter where waiter.key = this and waiter.holder = asking;
    end if;
    return next;
end $$;

create or replace function outlive_lease_force(
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
        called := outlive_lease_pass(this, handover, moment);
    end if;
    return next;
end $$;
