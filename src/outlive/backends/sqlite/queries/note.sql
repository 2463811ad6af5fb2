-- Keep what somebody did.
insert into outlive_audit (id, at, actor, action, target, detail)
values (:id, :at, :actor, :action, :target, :detail);
