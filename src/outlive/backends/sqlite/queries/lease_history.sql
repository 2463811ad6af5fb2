-- The newest events, of one key or of all.
select json_group_array(json_object(
    'key', key, 'holder', holder, 'fence', fence, 'at', at, 'event', event, 'reason', reason
))
from (
    select * from outlive_lease_event where (:key is null or key = :key) order by seq desc limit :limit
);
