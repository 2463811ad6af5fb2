"""Who is to be called when a lease is handed over; the part of `Leases.watch` that every backend shares."""

from collections.abc import Callable, Iterable

from outlive.ports import Handle


class Watches:
    """Callbacks by the names of waiting holders."""

    def __init__(self) -> None:
        self._called: dict[str, Callable[[], None]] = {}

    def add(self, holder: str, called: Callable[[], None]) -> Handle:
        """Call back for this holder until the handle is cancelled."""
        self._called[holder] = called
        return _Watch(self._called, holder)

    def call(self, holders: Iterable[str]) -> None:
        """Call those of them that watch."""
        for holder in holders:
            if (called := self._called.get(holder)) is not None:
                called()

    def names(self) -> list[str]:
        """Who watches."""
        return list(self._called)


class _Watch:
    __slots__ = ("_called", "_holder")

    def __init__(self, called: dict[str, Callable[[], None]], holder: str) -> None:
        self._called = called
        self._holder = holder

    def cancel(self) -> None:
        self._called.pop(self._holder, None)
