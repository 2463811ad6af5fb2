-- Whether a schema is there; creating one takes rights that looking does not.
select exists (select from pg_namespace where nspname = :schema);
