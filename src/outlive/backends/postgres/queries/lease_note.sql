-- Put an event into the history of the leases.
select outlive_lease_note(:key, :holder, :fence, to_timestamp(:now::float8), :event, :reason, :keep);
