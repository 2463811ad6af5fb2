-- Count the records that end, and those that live again.
tally as (
    insert into outlive_tally as tally (writer, final, count)
    select batch.writer, final, sum(change) from batch, ({changes}) as changed
    where final is not null group by batch.writer, final order by final
    on conflict (writer, final) do update set count = tally.count + excluded.count
)
