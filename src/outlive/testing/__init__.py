"""Help for the tests of applications: their tasks seen, led and asserted, and time that a test moves by hand."""

from outlive.testing.clock import ManualClock
from outlive.testing.kit import Mode, StoringBackend, TaskKit, rehearse

__all__ = ["ManualClock", "Mode", "StoringBackend", "TaskKit", "rehearse"]
