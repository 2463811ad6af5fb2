"""How the server's clock and this machine's differ.

Whose lease has run out is asked by one machine of what another has written. So all times of records, instances and
leases are the server's where they are stored and this machine's where they are used. Slots of schedules stay as they
are: they name a run, and must be the same for everybody.
"""

import time


class ServerTime:
    """`ahead`: how many seconds the server's clock is ahead of this machine's, as far as can be known."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def compare(self, asked: float, answered: float, server: float) -> None:
        """Learn from an answer: the server read its clock between two moments of this machine's.

        What was known stands until an answer contradicts it, so clocks that agree are never found to differ by the
        time that a message takes.
        """
        if not asked + self.ahead <= server <= answered + self.ahead:
            self.ahead = server - (asked + answered) / 2
            if asked <= server <= answered:
                self.ahead = 0.0


def now() -> float:
    """This machine's clock."""
    return time.time()
