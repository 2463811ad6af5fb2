-- Take a place under each limit, one attempt after the other; the keys of the limits are locked, see `queries/lock_keys.sql`.
-- row: id text, fence int4, owner text, at moment, limits text, asks bool
permit as (
    select move.place
    from (select * from {rows} order by place) as move
    cross join lateral outlive_take_permit(
        move.id, move.fence, move.owner, move.at, move.limits::jsonb, move.asks
    ) as given
    where given
)
