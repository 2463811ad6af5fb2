-- Say how far attempts have come that still run; of several words of one attempt the last stays.
-- row: id text, fence int4, progress text
said as (
    select distinct on (move.id, move.fence) move.id, move.fence, move.progress
    from {rows}
    order by move.id, move.fence, move.place desc
),
advanced as (
    update outlive_record as record set progress = said.progress, status = record.status
    from said
    where record.id = said.id and case when record.status = 'running' and record.fence = said.fence then true end
    returning record.id, record.fence
),
advance as (
    select move.place from {rows} join advanced on advanced.id = move.id and advanced.fence = move.fence
)
