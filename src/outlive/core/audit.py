"""What a person did to tasks, as it is kept for those who ask later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from outlive.core.record import moment


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action: who did what to which task, schedule or lease, and how that was before and after."""

    #: UUIDv7 as text; sorts by time.
    id: str
    #: Seconds since the epoch.
    at: float
    #: Name of the person, as the admin knows it.
    actor: str
    #: Such as `task.retry`.
    action: str
    #: What it was done to, None where it was no single thing.
    target: str | None = None
    #: JSON-ready values.
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON-ready values."""
        at = moment(self.at)
        assert at is not None
        return {
            "id": self.id,
            "at": at.isoformat(),
            "actor": self.actor,
            "action": self.action,
            "target": self.target,
            "detail": dict(self.detail),
        }


class AuditStore(Protocol):
    """Where it is kept what people did; a part of every backend."""

    async def note(self, entry: AuditEntry) -> None:
        """Keep what somebody did."""
        ...

    async def notes(self, limit: int, before: str | None = None, target: str | None = None) -> Sequence[AuditEntry]:
        """What was done, newest first: up to `limit` entries older than the one with the id `before`.

        Of everything, or of one target.
        """
        ...

    async def forget_notes(self, before: float, limit: int) -> int:
        """Delete up to `limit` entries from before this moment, oldest first; say how many."""
        ...
