-- Let ids that were refused for their idempotency key stand for the records that hold it.
-- row: id text, idempotency_key text
held as (
    select move.place, move.id, holder.id as record_id
    from {rows}
    join outlive_record as holder on holder.idempotency_key = move.idempotency_key
        and holder.idempotency_key is not null and (holder.final is null or holder.final = 'success')
    where not exists (select from outlive_record as known where known.id = move.id)
),
noted as (
    insert into outlive_alias (id, record_id) select id, record_id from held on conflict do nothing
),
stand_for as (
    select place from held
)
