-- Take a place in the queue, or keep it for longer.
insert into outlive_lease_waiter (key, holder, until) values (:key, :holder, :now + :wait)
on conflict (holder) do update set until = excluded.until;
