"""The ways to run a body."""
