-- Let an id stand for the record that holds its idempotency key, inside a transaction of the caller's.
insert into {tables}outlive_alias (id, record_id)
select move.id, holder.id
from json_to_record(cast(? as json)) as move (id text, idempotency_key text)
join {tables}outlive_record as holder on holder.idempotency_key = move.idempotency_key
    and holder.idempotency_key is not null and (holder.final is null or holder.final = 'success')
on conflict do nothing
