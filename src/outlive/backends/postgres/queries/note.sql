-- Keep what somebody did.
insert into outlive_audit (id, at, actor, action, target, detail)
values (:id, to_timestamp(:at::float8), :actor, :action, :target, :detail);
