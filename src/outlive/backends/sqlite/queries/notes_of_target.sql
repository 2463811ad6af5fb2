-- What was done to one thing, newest first.
select json_group_array(json_array(
    id, cast(at as integer), at - cast(at as integer), actor, action, target, detail
))
from (select * from outlive_audit where target = :target and id < :before order by id desc limit :limit);
