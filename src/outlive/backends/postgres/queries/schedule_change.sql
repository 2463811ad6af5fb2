-- Change the rule and policy in force.
update outlive_schedule set
    next_at = case when rule = :rule then next_at else :next_at end, rule = :rule, policy = :policy
where name = :name
returning true;
