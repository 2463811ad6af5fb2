-- What lives and meets the conditions: the newest of nobody's, which waits, and of each owner's; from one owner to the next by the
-- index.
recursive holder (owner) as (
    select min(owner) from outlive_record where final is null and owner is not null
    union all
    select (
        select min(record.owner) from outlive_record as record
        where record.final is null and record.owner is not null and record.owner > holder.owner
    )
    from holder where holder.owner is not null
),
live as (
    (
        select one.* from outlive_record as one
        where :waiting::boolean and coalesce(one.final, one.owner) is null and one.id < :before
            and (:statuses::text[] is null or one.status = any(:statuses::text[]))
            and (:func::text is null or :func in (one.func, one.func_name))
            and (:queue::text is null or one.queue = :queue) and (:source::text is null or one.source = :source)
        order by one.id desc limit :limit
    )
    union all
    select held.* from holder
    cross join lateral (
        select one.* from outlive_record as one
        where one.final is null and one.owner >= holder.owner and (one.owner, one.id) < (holder.owner, :before)
            and (:statuses::text[] is null or one.status = any(:statuses::text[]))
            and (:func::text is null or :func in (one.func, one.func_name))
            and (:queue::text is null or one.queue = :queue) and (:source::text is null or one.source = :source)
        order by one.owner desc, one.id desc limit :limit
    ) as held
    where :live::boolean and holder.owner is not null
)
