-- Take over what an instance declares; what has been there goes on, unless its rule is another now.
insert into outlive_schedule (name, func, rule, next_at)
select
    json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
    json_extract(value, '$[3]') + json_extract(value, '$[4]')
from json_each(:entries)
where true
on conflict (name) do update set
    next_at = case when rule = excluded.rule then next_at else excluded.next_at end,
    func = excluded.func, rule = excluded.rule;
