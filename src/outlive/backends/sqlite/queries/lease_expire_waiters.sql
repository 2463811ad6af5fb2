-- Forget those who have not asked for longer than their place lasts.
delete from outlive_lease_waiter where until <= :now;
