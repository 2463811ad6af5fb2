-- What an owner was asked to cancel and has not ended yet, with the reasons that were given.
select json_group_object(id, reason)
from outlive_record
where owner = :owner and cancel_requested and ended_at is null;
