"""What a person did to tasks, as it is kept for those who ask later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
