-- Take over what an instance declares; what has been there goes on, unless its rule is another now.
insert into outlive_schedule as schedule (name, func, rule, next_at)
select name, func, rule, next_at
from unnest(:names::text[], :funcs::text[], :rules::text[], :nexts::float8[]) as entry (name, func, rule, next_at)
order by name
on conflict (name) do update set
    next_at = case when schedule.rule = excluded.rule then schedule.next_at else excluded.next_at end,
    func = excluded.func, rule = excluded.rule
where (schedule.func, schedule.rule) is distinct from (excluded.func, excluded.rule);
