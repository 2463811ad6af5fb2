-- Whether the attempt that asks for a permit may start otherwise.
select 1 from outlive_record where id = :id and status = 'pending' and fence = :fence and owner = :owner;
