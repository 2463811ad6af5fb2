"""What the developer writes and holds: definitions, the registry, the context inside a task, the handle."""
