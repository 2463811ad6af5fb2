-- Those of the given waiters that hold a lease by now.
select json_group_array(holder) from outlive_lease where holder in (select value from json_each(:holders));
