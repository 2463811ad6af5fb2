-- Put an event into the history of the leases.
insert into outlive_lease_event (key, holder, fence, at, event, reason)
values (:key, :holder, :fence, :at, :event, :reason);
