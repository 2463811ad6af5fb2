-- What an owner was asked to cancel and has not ended yet, with the reasons that were given.
select id, reason from outlive_record where owner = :owner and cancel_requested and final is null;
