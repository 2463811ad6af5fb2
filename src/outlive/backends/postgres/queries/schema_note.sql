-- Note that a migration has been applied.
insert into outlive_schema (version, compatible_from) values (:version, :compatible_from);
