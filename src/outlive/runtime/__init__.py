"""What happens to an accepted task: one loop or one step of the way per file."""
