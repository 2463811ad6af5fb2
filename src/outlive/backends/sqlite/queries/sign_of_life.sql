-- Whether the lease of an instance has run out, and whether it is of this host; nothing where it was forgotten.
select :now - beat_at > lease, host = :host from outlive_instance where id = :id;
