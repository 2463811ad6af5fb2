-- Use up one start of a rate.
insert into outlive_rate (key, used_until) values (:key, :now + :pace)
on conflict (key) do update set used_until = max(used_until, :now) + :pace;
