-- Undo what came after the savepoint.
rollback to chunk;
