-- Give pending records back to everybody.
-- row: id, owner, reason
update outlive_record set owner = null, reason = move.reason
from {rows} as move
where outlive_record.id = move.id and status = 'pending' and outlive_record.owner = move.owner;
