-- Take over what an instance declares; what has been there goes on, unless the declaration is another now.
insert into outlive_schedule as schedule (name, func, rule, next_at, policy, declared, paused)
select name, func, rule, next_at, policy, declared, paused
from unnest(
    :names::text[], :funcs::text[], :rules::text[], :nexts::float8[], :policies::text[], :declared::text[],
    :paused::boolean[]
) as entry (name, func, rule, next_at, policy, declared, paused)
order by name
on conflict (name) do update set
    next_at = case
        when schedule.declared is not distinct from excluded.declared or schedule.rule = excluded.rule
            then schedule.next_at
        else excluded.next_at
    end,
    rule = case when schedule.declared is not distinct from excluded.declared then schedule.rule else excluded.rule end,
    policy = case
        when schedule.declared is not distinct from excluded.declared then schedule.policy else excluded.policy
    end,
    func = excluded.func, declared = excluded.declared
where (schedule.func, schedule.declared) is distinct from (excluded.func, excluded.declared);
