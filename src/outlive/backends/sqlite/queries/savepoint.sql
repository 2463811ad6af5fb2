-- A point to come back to when a statement took effect for some of its rows only.
savepoint chunk;
