-- Forget what a writer wrote, and those that were not heard of for a day; what they counted stays.
with gone as (
    delete from outlive_writer where id = any(:writers::text[]) or at < now() - interval '1 day' returning id
),
counted as (
    delete from outlive_tally as tally using gone where tally.writer = gone.id returning tally.final, tally.count
)
insert into outlive_tally as tally (writer, final, count)
select '', final, sum(count) from counted group by final order by final
on conflict (writer, final) do update set count = tally.count + excluded.count;
