-- Whether the lease of an instance has run out; nothing where it was forgotten.
select :now - beat_at > lease from outlive_instance where id = :id;
