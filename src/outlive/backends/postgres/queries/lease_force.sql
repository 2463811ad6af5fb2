-- Take a lease from whoever has it.
select had, called from outlive_lease_force(:key, :reason, :handover, :keep, to_timestamp(:now::float8));
