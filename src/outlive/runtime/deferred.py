"""The journal of tasks that were declared `persist=False`: memory now, the backend once they have ended."""

from collections.abc import Sequence

from outlive.core.moves import Enqueue, Move
from outlive.core.states import FINAL
from outlive.ports import Backend, ImmediateBackend
from outlive.runtime.journal import Journal, Landed
from outlive.runtime.process import Process
from outlive.runtime.service import Service


class DeferredJournal(Service):
    """Applies moves to memory at once, and repeats those of ended records in the backend.

    It does so every `snapshot_interval` seconds and at shutdown.

    What has not been flushed is lost with the process; that is what `persist=False` asks for.
    """

    keeps_pending = survives_process = False

    def __init__(self, process: Process, memory: Backend, journal: Journal) -> None:
        super().__init__(process, process.limits.snapshot_interval)
        assert isinstance(memory, ImmediateBackend)
        self.backend: Backend = memory
        self._immediate = memory
        self._journal = journal
        self._moves: dict[str, list[Move]] = {}

    def write(
        self,
        moves: Sequence[Move],
        landed: Landed | None = None,
        *,
        refusable: bool = False,  # noqa: ARG002 - memory refuses nothing
    ) -> None:
        """Apply to memory and remember for the flush."""
        self._process.check_here()
        answers = self._immediate.apply_now(moves)
        for move, applied in zip(moves, answers, strict=True):
            # An id that came to stand for another's record goes the way of that record.
            task_id = move.id if applied else self._immediate.holder_of(move.id)
            if task_id is not None:
                self._moves.setdefault(task_id, []).append(move)
        if landed is not None:
            landed(answers, None)

    async def step(self) -> None:
        """Hand the moves of ended records to the durable journal."""
        for task_id in list(self._moves):
            record = await self.backend.get(task_id)
            if record is None or record.status in FINAL:
                self._flush(task_id)

    def _flush(self, task_id: str) -> None:
        moves = self._moves.pop(task_id)
        if isinstance(moves[0], Enqueue):
            self._journal.write(moves, lambda _answers, _error: self._forget(task_id))

    def _forget(self, task_id: str) -> None:
        if task_id not in self._moves:
            self._immediate.forget(task_id)
