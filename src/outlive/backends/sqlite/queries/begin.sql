-- Take the write lock now, so that nothing later in the transaction can meet a lock.
begin immediate;
