-- What was done, newest first.
select id, extract(epoch from at)::float8, actor, action, target, detail
from outlive_audit where id < :before order by id desc limit :limit;
