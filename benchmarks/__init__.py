"""Measurements of what the project promises about its cost; `python -m benchmarks` runs them all."""
