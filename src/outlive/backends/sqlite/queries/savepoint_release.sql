-- Keep what came after the savepoint.
release chunk;
