"""Help for the tests of applications: time that a test moves by hand."""

from outlive.testing.clock import ManualClock

__all__ = ["ManualClock"]
