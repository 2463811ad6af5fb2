"""Whose time it is: leases go by the server's clock, whatever the clocks of the instances say."""

import time

from outlive.backends.redis.link import Link

#: A difference that says nothing: the clocks of hosts that are kept in step are closer than this.
TOLERANCE = 0.05

#: An answer that took longer says too little about the time at which it was given.
SLOWEST_ANSWER = 2.0


class ServerClock:
    """How far the server's clock is ahead of this process's."""

    def __init__(self) -> None:
        #: Seconds; 0 where the difference is too small to be told from the way of the answer.
        self.ahead = 0.0

    async def measure(self, link: Link) -> None:
        """Compare the clocks."""
        asked = time.time()
        seconds, micros = await link.command("TIME")
        took = time.time() - asked
        if took > SLOWEST_ANSWER:
            return
        ahead = int(seconds) + int(micros) / 1e6 - asked - took / 2
        self.ahead = ahead if abs(ahead) > TOLERANCE + took / 2 else 0.0
