"""Who has joined, when each last gave a sign, and who was asked to take no new work."""

from collections.abc import Iterable, Iterator

from outlive.backends.memory_rows import Row
from outlive.core.exchange import Instance, InstanceState
from outlive.core.states import LIVE


class MemoryPresence:
    """The instances of one process, by their ids."""

    def __init__(self) -> None:
        self._states: dict[str, InstanceState] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._states

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._states))

    def join(self, instance: Instance, now: float) -> None:
        """Take one in, again if need be."""
        self._states[instance.id] = InstanceState(instance, now, self.is_draining(instance.id))

    def beat(self, name: str, now: float) -> bool:
        """Note a sign of life; False for one that is not known."""
        state = self._states.get(name)
        if state is not None:
            self._states[name] = InstanceState(state.instance, now, state.draining)
        return state is not None

    def forget(self, name: str) -> None:
        """Know it no more."""
        self._states.pop(name, None)

    def clear(self) -> None:
        """Know nobody."""
        self._states.clear()

    def is_silent(self, name: str, now: float) -> bool:
        """Whether its lease has run out."""
        state = self._states[name]
        return now - state.beat_at > state.instance.lease

    def silent(self, now: float) -> list[str]:
        """Those whose lease has run out."""
        return [name for name in self if self.is_silent(name, now)]

    def orphaned(self, rows: Iterable[Row], before: float) -> list[str]:
        """Owners of live records that are not known, and have accepted and started nothing since a moment."""
        newest: dict[str, float] = {}
        for row in rows:
            if row.owner is not None and row.status in LIVE and row.owner not in self._states:
                newest[row.owner] = max(newest.get(row.owner, 0.0), row.started_at or row.facts.created_at)
        return [owner for owner, at in newest.items() if at < before]

    def drain(self, name: str, *, draining: bool) -> bool:
        """Ask it to take no new work, or to take it again."""
        state = self._states.get(name)
        if state is None or state.draining is draining:
            return False
        self._states[name] = InstanceState(state.instance, state.beat_at, draining)
        return True

    def is_draining(self, name: str) -> bool:
        """Whether it was asked to."""
        return name in self._states and self._states[name].draining

    def list(self) -> list[InstanceState]:
        """All of them, in the order of their ids."""
        return [self._states[name] for name in self]
