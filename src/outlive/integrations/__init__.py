"""Adapters to other libraries, one file each; none is needed by anything else."""
