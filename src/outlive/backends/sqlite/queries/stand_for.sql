-- Let ids that were refused for their idempotency key stand for the records that hold it.
-- row: id, idempotency_key
insert into outlive_alias (id, record_id)
select move.id, holder.id
from {rows} as move
join outlive_record as holder on holder.idempotency_key = move.idempotency_key
where holder.idempotency_key is not null and holder.status in ('pending', 'running', 'success')
    and not exists (select 1 from outlive_record as known where known.id = move.id)
on conflict do nothing;
