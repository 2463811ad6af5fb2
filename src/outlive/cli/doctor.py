"""Looks for what would go wrong."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from outlive.core.filter import Page, TaskFilter
from outlive.core.record import TaskRecord
from outlive.core.states import TaskStatus
from outlive.errors import TaskArgumentError
from outlive.manager import TaskManager

#: How many live records are looked through.
_MOST = 10_000
_PAGE = 500
_LIVE = frozenset({TaskStatus.PENDING, TaskStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `warn` works now and may not later, `wrong` does not work."""

    verdict: Literal["ok", "warn", "wrong"]
    what: str
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


async def examine(manager: TaskManager) -> list[Finding]:
    """Look at the backend, who is at work on it, and whether the code can run what waits in it."""
    findings = [_backend(manager), await _instances(manager)]
    if len(manager.registry):
        findings += await _records(manager)
        findings += await _queues(manager)
    else:
        findings.append(Finding("warn", "code", "no --app was given, so what waits was not held against the code"))
    return findings


def _backend(manager: TaskManager) -> Finding:
    kind = type(manager.backend).__name__
    return Finding("ok", "backend", f"{kind} can be reached and has the schema of this release")


async def _instances(manager: TaskManager) -> Finding:
    now, own = manager.runtime.process.clock.now(), manager.runtime.process.instance.id
    alive = [one for one in await manager.backend.instances() if one.instance.id != own]
    ahead = [one for one in alive if one.beat_at > now + 1]
    if ahead:
        seconds = max(one.beat_at for one in ahead) - now
        return Finding("wrong", "clocks", f"the clock of {ahead[0].instance.host} is {seconds:.1f} s ahead of this one")
    if not alive:
        return Finding("warn", "instances", "no process is at work, so nothing runs until one starts")
    return Finding("ok", "instances", f"{len(alive)} at work; no clock is ahead of this one")


async def _records(manager: TaskManager) -> list[Finding]:
    unknown: dict[str, int] = {}
    invalid: dict[str, str] = {}
    looked_at = 0
    async for record in _live(manager):
        looked_at += 1
        if manager.registry.find(record.func) is None:
            unknown[record.func] = unknown.get(record.func, 0) + 1
        elif (reason := _why_not(manager, record)) is not None:
            invalid[record.id] = reason
    return [_unknown(unknown, looked_at), _invalid(invalid)]


def _unknown(unknown: Mapping[str, int], looked_at: int) -> Finding:
    if not unknown:
        return Finding("ok", "functions", f"every function of {looked_at} live records is declared")
    named = ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items()))
    return Finding("wrong", "functions", f"records wait for functions that are not declared here: {named}")


def _invalid(invalid: Mapping[str, str]) -> Finding:
    if not invalid:
        return Finding("ok", "arguments", "all arguments that wait still suit their functions")
    task_id, reason = next(iter(invalid.items()))
    return Finding(
        "wrong", "arguments", f"{len(invalid)} records cannot be run as the code is now; {task_id}: {reason}"
    )


def _why_not(manager: TaskManager, record: TaskRecord) -> str | None:
    definition = manager.registry.find(record.func)
    if definition is None or record.arguments is None:
        return None
    try:
        args, kwargs = definition.codec.decode(record.arguments)
        definition.check_call(args, kwargs)
    except (TaskArgumentError, TypeError, ValueError) as error:
        return str(error)
    return None


async def _queues(manager: TaskManager) -> list[Finding]:
    return [
        Finding("warn", "queues", f"{queue.name} is paused and {queue.pending} tasks wait in it")
        for queue in await manager.queues()
        if queue.paused and queue.pending
    ]


async def _live(manager: TaskManager) -> AsyncIterator[TaskRecord]:
    before, seen = None, 0
    while seen < _MOST:
        page = await manager.find(TaskFilter(_LIVE), Page(_PAGE, before))
        for record in page:
            yield record
        if len(page) < _PAGE:
            return
        before, seen = page[-1].id, seen + len(page)
