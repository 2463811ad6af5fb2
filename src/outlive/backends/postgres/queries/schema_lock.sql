-- One migration at a time in this schema, until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('outlive ' || current_schema(), 7316950022));
