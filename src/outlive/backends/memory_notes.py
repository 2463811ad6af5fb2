"""What people did, in memory."""

from collections import deque

from outlive.core.audit import AuditEntry


class MemoryNotes:
    """The newest `keep` notes."""

    def __init__(self, keep: int) -> None:
        self._entries: deque[AuditEntry] = deque(maxlen=keep)

    def add(self, entry: AuditEntry) -> None:
        """Keep one."""
        self._entries.append(entry)

    def list(self, limit: int, before: str | None, target: str | None) -> list[AuditEntry]:
        """Up to `limit` that are older than the one with the id `before`, newest first; of one target where given."""
        wanted = (one for one in self._entries if target in (None, one.target) and (before is None or one.id < before))
        return sorted(wanted, key=lambda one: one.id, reverse=True)[: max(limit, 0)]

    def forget(self, before: float, limit: int) -> int:
        """Let go of up to `limit` from before this moment; say how many."""
        old = [one for one in self._entries if one.at < before][: max(limit, 0)]
        for one in old:
            self._entries.remove(one)
        return len(old)
