-- What was done to one thing, newest first.
select id, extract(epoch from at)::float8, actor, action, target, detail
from outlive_audit where target = :target and id < :before order by id desc limit :limit;
