"""Looks for what would go wrong, and changes nothing."""

import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fastapi import FastAPI

from outlive.admin.admin import TaskAdmin, admin_of
from outlive.cli.target import manager_of
from outlive.core.filter import Page, TaskFilter
from outlive.core.record import TaskRecord
from outlive.core.states import LIVE
from outlive.errors import BackendError, EncryptionError, TaskArgumentError
from outlive.manager import TaskManager
from outlive.ports import Backend, CandidBackend, ClockedBackend, LaidOutBackend

#: How many live records are looked through.
_MOST = 10_000
_PAGE = 500

#: Seconds by which clocks may differ before a person should know.
_SKEW = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `warn` works now and may not later, `wrong` does not work."""

    verdict: Literal["ok", "warn", "wrong"]
    what: str
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


async def examine(manager: TaskManager, app: str | None) -> list[Finding]:
    """Look at the backend, who is at work on it, whether the code can run what waits in it, and who may look at it."""
    try:
        findings = await _schema(manager.backend)
        if all(finding.verdict == "ok" for finding in findings):
            findings += await _stored(manager, has_code=app is not None)
    except BackendError as error:
        findings = [Finding("wrong", "backend", str(error))]
    return findings if app is None else [*findings, *_dashboards(manager, app)]


# -- the backend -----------------------------------------------------------------------------------


async def _schema(backend: Backend) -> list[Finding]:
    if not isinstance(backend, LaidOutBackend):
        return []
    layout = await backend.layout()
    if layout.is_current:
        return [Finding("ok", "schema", f"{layout.version}, as this release knows it")]
    if not layout.version:
        return [Finding("warn", "schema", "there is none yet; the first start makes it, or `outlive migrate`")]
    remedy = f"it is {layout.version} and this release needs {layout.known}; run `outlive migrate`"
    return [Finding("wrong", "schema", f"{remedy}, then look again")]


async def _stored(manager: TaskManager, *, has_code: bool) -> list[Finding]:
    """What there is to say once the backend is open; no instance is announced, and nothing declared."""
    backend = manager.backend
    await backend.open()
    try:
        findings = [_reached(backend), *await _promises(backend), *_server_clock(backend)]
        findings.append(await _instances(manager))
        if has_code:
            findings += [*await _records(manager), *await _schedules(manager)]
        else:
            findings.append(Finding("warn", "code", "no --app was given, so what waits was not held against the code"))
        return findings + await _queues(backend)
    finally:
        await backend.close()


def _reached(backend: Backend) -> Finding:
    return Finding("ok", "backend", f"{type(backend).__name__} answers")


async def _promises(backend: Backend) -> list[Finding]:
    if not isinstance(backend, CandidBackend):
        return []
    exposed = await backend.exposures()
    if exposed:
        return [Finding("warn", "promises", one) for one in exposed]
    return [Finding("ok", "promises", "what was accepted survives processes, the machine and a power cut")]


def _server_clock(backend: Backend) -> list[Finding]:
    if not isinstance(backend, ClockedBackend):
        return []
    ahead = backend.clock_ahead
    if abs(ahead) <= _SKEW:
        return [Finding("ok", "clock", "the server's and this machine's agree")]
    way = "ahead of" if ahead > 0 else "behind"
    text = f"the server's is {abs(ahead):.1f} s {way} this machine's; outlive goes by the server's, your code may not"
    return [Finding("warn", "clock", text)]


async def _instances(manager: TaskManager) -> Finding:
    now = time.time()
    alive = await manager.backend.instances()
    ahead = [one for one in alive if one.beat_at > now + _SKEW]
    if ahead:
        seconds = max(one.beat_at for one in ahead) - now
        return Finding("wrong", "clocks", f"the clock of {ahead[0].instance.host} is {seconds:.1f} s ahead of this one")
    if not alive:
        return Finding("warn", "instances", "no process is at work, so nothing runs until one starts")
    return Finding("ok", "instances", f"{len(alive)} at work; no clock is ahead of this one")


async def _queues(backend: Backend) -> list[Finding]:
    depths = await backend.depths()
    paused = [
        (one.name, depths[one.name].pending) for one in await backend.queues() if one.paused and one.name in depths
    ]
    return [
        Finding("warn", "queues", f"{name} is paused and {count} tasks wait in it") for name, count in paused if count
    ]


# -- the code --------------------------------------------------------------------------------------


async def _records(manager: TaskManager) -> list[Finding]:
    unknown: dict[str, int] = {}
    invalid: dict[str, str] = {}
    looked_at = 0
    async for record in _live(manager.backend):
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
    except (EncryptionError, TaskArgumentError, TypeError, ValueError) as error:
        return str(error)
    return None


async def _schedules(manager: TaskManager) -> list[Finding]:
    lost = [one.name for one in await manager.backend.schedules() if manager.registry.find(one.func) is None]
    if not lost:
        return []
    return [Finding("warn", "schedules", f"nobody declares the functions of {', '.join(lost)}; `schedules --remove`")]


async def _live(backend: Backend) -> AsyncIterator[TaskRecord]:
    before, seen = None, 0
    while seen < _MOST:
        page = await backend.find(TaskFilter(LIVE), Page(_PAGE, before))
        for record in page:
            yield record
        if len(page) < _PAGE:
            return
        before, seen = page[-1].id, seen + len(page)


# -- who may look at it ----------------------------------------------------------------------------


def _dashboards(manager: TaskManager, app: str) -> list[Finding]:
    """What is to be said of the applications in the module that was named."""
    there = vars(sys.modules[app.partition(":")[0]]).values()
    applications = [one for one in there if isinstance(one, FastAPI) and manager_of(one) is manager]
    admins = [admin for admin in map(admin_of, applications) if admin is not None]
    findings = [_dashboard(admin) for admin in admins]
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", "")
    if "*" in trusted.split(","):
        text = "FORWARDED_ALLOW_IPS=* lets every client say where it comes from; name your proxy"
        findings.append(Finding("warn", "proxy", text))
    elif trusted and any(admin.lets_in == "this machine" for admin in admins):
        text = "behind one the dashboard answers nobody: give TaskAdmin auth="
        findings.append(Finding("warn", "proxy", text))
    return findings


def _dashboard(admin: TaskAdmin) -> Finding:
    if admin.lets_in != "everybody":
        return Finding("ok", "dashboard", f"{admin.path} lets in {admin.lets_in}")
    shows = ", and shows them the arguments of tasks" if admin.shows_arguments else ""
    return Finding("warn", "dashboard", f"{admin.path} is open to everybody who reaches it{shows}: auth=False")
