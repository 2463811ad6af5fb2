-- The other instances, and whether their lease has run out.
select json_group_array(json_array(id, :now - beat_at > lease)) from outlive_instance where id <> :asking;
