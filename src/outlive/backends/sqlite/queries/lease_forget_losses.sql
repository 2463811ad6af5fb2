-- Forget who was forced out long ago.
delete from outlive_lease_loss where at < :before;
