-- Whether the schema has our tables already, and its name.
select to_regclass('outlive_schema') is not null, current_schema();
