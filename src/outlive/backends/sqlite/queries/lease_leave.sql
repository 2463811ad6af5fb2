-- Give up a place in the queue.
delete from outlive_lease_waiter where key = :key and holder = :holder;
