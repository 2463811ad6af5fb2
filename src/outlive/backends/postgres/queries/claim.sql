-- Hand over what is due, and say when the next is: one row at least, whose record is null where there is none. The server
-- need not wait for its disk, since the start of what was claimed does: a crash before that undoes the claim alone.
with {levels},
unhurried as materialized (
    select set_config('synchronous_commit', 'off', true)
),
picked as (
    select chosen.id from level
    cross join lateral (
        select due.id, due.run_at from outlive_record as due
        where due.final is null and due.owner is null and coalesce(due.priority, 0) = level.priority
            and due.status = 'pending' and due.run_at <= to_timestamp(:now::float8)
            and due.func = any(:functions::text[]) and not due.id = any(:refused::text[])
            and (:queues::text[] is null or due.queue = any(:queues::text[])) and not due.queue = any(:without_queues::text[])
        order by due.run_at, due.id limit :limit for update skip locked
    ) as chosen
    where level.priority is not null
    order by level.priority desc, chosen.run_at, chosen.id limit :limit
),
taken as (
    update outlive_record as record set owner = :owner, reason = null, status = record.status
    from picked
    where record.id = picked.id and case when record.status = 'pending' and record.owner is null then true end
    returning record.*
),
mark as (
    insert into outlive_writer as writer (id, seq, places, ids, at)
    select :writer, :seq, '{}', array_agg(id), now() from taken having count(*) > 0
    on conflict (id) do update set seq = excluded.seq, ids = excluded.ids, at = excluded.at
)
select extract(epoch from coming.next_at)::float8, {record}
from (
    select min((
        select later.run_at from outlive_record as later
        where later.final is null and later.owner is null and coalesce(later.priority, 0) = level.priority
            and later.status = 'pending' and later.run_at > to_timestamp(:now::float8) and later.func = any(:functions::text[])
            and (:queues::text[] is null or later.queue = any(:queues::text[])) and not later.queue = any(:without_queues::text[])
        order by later.run_at limit 1
    )) as next_at
    from level where level.priority is not null
) as coming
cross join unhurried
left join taken as record on true
order by coalesce(record.priority, 0) desc, record.run_at, record.id;
