-- The other instances: whether their lease has run out, and whether they are of the host that asks.
select json_group_array(json_array(
    id, :now - beat_at > lease,
    host = coalesce((select host from outlive_instance where id = :asking), :host)
))
from outlive_instance
where id <> :asking;
