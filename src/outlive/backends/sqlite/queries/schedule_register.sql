-- Take over what an instance declares; what has been there goes on, unless the declaration is another now.
insert into outlive_schedule (name, func, rule, next_at, policy, declared, paused)
select
    json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
    json_extract(value, '$[3]') + json_extract(value, '$[4]'),
    json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]')
from json_each(:entries)
where true
on conflict (name) do update set
    next_at = case when declared is excluded.declared or rule = excluded.rule then next_at else excluded.next_at end,
    rule = case when declared is excluded.declared then rule else excluded.rule end,
    policy = case when declared is excluded.declared then policy else excluded.policy end,
    func = excluded.func, declared = excluded.declared
where declared is not excluded.declared or func <> excluded.func;
