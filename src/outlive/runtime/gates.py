"""Room that a task needs beside a slot of its lane: in its queue, or under a limit of its own."""

from heapq import heappop, heappush

from outlive.core.queues import Limit
from outlive.runtime.lane import Lane, Waiting


class Gate:
    """Lets through as many as may run at once, and parks the others, the best of them first.

    `most`: how many of this process, None for no limit. `limit`: what the backend has to permit, too.
    """

    __slots__ = ("_parked", "busy", "is_shut", "limit", "most")

    def __init__(self, most: int | None = None, limit: Limit | None = None) -> None:
        self.most = most
        self.limit = limit
        self.busy = 0
        #: Whether it lets nobody through: its queue is paused, or the backend has refused.
        self.is_shut = False
        self._parked: list[tuple[Waiting, Lane]] = []

    @property
    def has_room(self) -> bool:
        """Whether one of those who wait may go through."""
        return not self.is_shut and (self.most is None or self.busy < self.most)

    @property
    def admits(self) -> bool:
        """Whether a newcomer may go through without overtaking anybody."""
        return not self._parked and self.has_room

    @property
    def is_idle(self) -> bool:
        """Whether nobody would miss it."""
        return not self._parked and not self.busy and not self.is_shut

    @property
    def is_rate(self) -> bool:
        """Whether what went through is over when it has started."""
        return self.limit is not None and self.limit.per is not None

    def park(self, lane: Lane, waiting: Waiting) -> None:
        """Keep one back that its lane would have let start."""
        waiting.task.is_parked = True
        heappush(self._parked, (waiting, lane))

    def unpark_all(self) -> None:
        """Send everybody back to their lanes, room or not; who finds none comes back."""
        for waiting, lane in self._parked:
            waiting.task.is_parked = False
            if waiting.task.is_pending:
                lane.push_back(waiting)
        self._parked.clear()

    def unpark(self) -> set[Lane]:
        """Send back to their lanes as many as there is room for; give the lanes."""
        room = len(self._parked) if self.most is None else self.most - self.busy
        lanes: set[Lane] = set()
        while self._parked and room > 0 and not self.is_shut:
            waiting, lane = heappop(self._parked)
            waiting.task.is_parked = False
            if waiting.task.is_pending:
                lane.push_back(waiting)
                lanes.add(lane)
                room -= 1
        return lanes
