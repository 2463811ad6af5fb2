"""Commands about what runs the tasks: schedules, queues, locks, instances."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, cast

import typer

from outlive.cli.printing import ago, as_json, table
from outlive.cli.target import App, AsJson, Backend, opened, run
from outlive.errors import ConfigError
from outlive.manager import TaskManager
from outlive.ports import InstanceState
from outlive.runtime.queue_control import QueueChanges, QueueInfo
from outlive.runtime.schedule_info import ScheduleInfo

Pause = Annotated[str | None, typer.Option(help="Name of one to pause.")]
Resume = Annotated[str | None, typer.Option(help="Name of one to resume.")]


_HOW_TO_SET = "write name:setting=number, with 'none' for no limit; settings are " + ", ".join(
    QueueChanges.__annotations__
)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (schedules, queues, locks, instances):
        app.command()(command)


def schedules(
    pause: Pause = None,
    resume: Resume = None,
    trigger: Annotated[str | None, typer.Option("--run", help="Name of one to run now; needs --app.")] = None,
    reset: Annotated[
        str | None, typer.Option(help="Name of one that is to fire as code says again; needs --app.")
    ] = None,
    remove: Annotated[
        str | None, typer.Option(help="Name of one to forget that no code declares; needs --app.")
    ] = None,
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """List schedules; pause, resume, run, reset or remove one."""

    async def act(manager: TaskManager) -> None:
        if remove is not None and app is None:
            raise ConfigError("--remove needs --app, which knows what the code declares")
        await _do(
            (pause, manager.pause_schedule),
            (resume, manager.resume_schedule),
            (reset, manager.reset_schedule),
            (remove, manager.remove_schedule),
        )
        if trigger is not None:
            task = await manager.trigger_schedule(trigger)
            typer.echo(f"{trigger} runs as {task.id}", err=True)

    _list(_SCHEDULES, act, app, backend, json=json)


def queues(
    pause: Pause = None,
    resume: Resume = None,
    change: Annotated[
        str | None, typer.Option("--set", help="What one allows, such as mail:concurrency=4,max_size=none.")
    ] = None,
    reset: Annotated[str | None, typer.Option(help="Name of one that is to allow what code says again.")] = None,
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """List queues; pause, resume or change one, in all instances."""

    async def act(manager: TaskManager) -> None:
        await _do((pause, manager.pause_queue), (resume, manager.resume_queue), (reset, manager.reset_queue_config))
        if change is not None:
            name, changes = _changes(change)
            await manager.update_queue_config(name, **changes)

    _list(_QUEUES, act, app, backend, json=json)


def locks(
    release: Annotated[str | None, typer.Option(help="Key of one to take from its holder.")] = None,
    reason: Annotated[str | None, typer.Option(help="What the holder is told.")] = None,
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """List locks and leaderships that are held; take one from its holder."""

    async def act(manager: TaskManager) -> None:
        if release is None:
            return
        if reason is None:
            raise ConfigError("--release needs a --reason, which the holder is told")
        freed = await manager.force_release(release, reason)
        typer.echo(f"{release} was {'taken from its holder' if freed else 'held by nobody'}", err=True)

    _list(_LOCKS, act, app, backend, json=json)


def instances(
    drain: Annotated[str | None, typer.Option(help="Id of one that is to take no new work.")] = None,
    resume: Annotated[str | None, typer.Option(help="Id of one that is to take work again.")] = None,
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """List the processes that are at work; let one take no new work, or take it again."""

    async def act(manager: TaskManager) -> None:
        unknown = {drain, resume} - {None, *(one.instance.id for one in await _others(manager))}
        if unknown:
            raise ConfigError(f"no process {', '.join(map(str, unknown))} is at work; `outlive instances` lists them")
        await _do((drain, manager.drain_instance), (resume, manager.resume_instance))

    _list(_INSTANCES, act, app, backend, json=json)


# -- what is listed, and how -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a command lists: for programs as JSON, for people as rows under headings."""

    read: Callable[[TaskManager], Awaitable[Sequence[Any]]]
    to_dict: Callable[[Any], Mapping[str, Any]]
    headings: tuple[str, ...]
    row: Callable[[Any], Sequence[Any]]
    #: What it means that there is none.
    none: str


def _list(
    listing: _Listing,
    act: Callable[[TaskManager], Awaitable[None]],
    app: str | None,
    backend: str | None,
    *,
    json: bool,
) -> None:
    """Act, and list what there is then."""

    async def command() -> None:
        async with opened(app, backend) as manager:
            await act(manager)
            found = await listing.read(manager)
        if json:
            as_json([listing.to_dict(one) for one in found])
        else:
            table(listing.headings, map(listing.row, found), listing.none)

    run(command)


async def _do(*asked: tuple[str | None, Callable[[str], Awaitable[object]]]) -> None:
    """Each that was asked for, by the name that was given for it."""
    for name, change in asked:
        if name is not None:
            await change(name)


async def _others(manager: TaskManager) -> list[InstanceState]:
    own = manager.runtime.process.instance.id
    return [one for one in await manager.backend.instances() if one.instance.id != own]


_SCHEDULES = _Listing(
    TaskManager.schedules,
    ScheduleInfo.to_dict,
    ("name", "fires", "next", "last", "missed"),
    lambda one: (
        one.name,
        one.trigger,
        "paused" if one.paused else ago(one.next_fires[0]) if one.next_fires else "-",
        ago(one.last_fire),
        one.missed,
    ),
    "no schedules",
)
_QUEUES = _Listing(
    TaskManager.queues,
    QueueInfo.to_dict,
    ("name", "state", "pending", "running", "oldest", "per instance", "in all", "max size"),
    lambda one: (
        one.name,
        "paused" if one.paused else "open",
        one.pending,
        one.running,
        ago(one.oldest_at),
        _most(one.config.concurrency),
        _most(one.config.global_concurrency),
        _most(one.config.max_size),
    ),
    "no queues have tasks or settings",
)
_LOCKS = _Listing(
    TaskManager.leases,
    asdict,
    ("key", "holder", "token", "taken", "expires", "waiting"),
    lambda one: (one.key, one.holder, one.fence, ago(one.taken_at), ago(one.expires_at), len(one.waiting)),
    "nobody holds a lock",
)
_INSTANCES = _Listing(
    _others,
    lambda one: asdict(one.instance) | {"beat_at": one.beat_at, "draining": one.draining},
    ("id", "host", "pid", "started", "last sign", "state"),
    lambda one: (
        one.instance.id,
        one.instance.host,
        one.instance.pid,
        ago(one.instance.started_at),
        ago(one.beat_at),
        "draining" if one.draining else "at work",
    ),
    "no process is at work",
)


def _changes(text: str) -> tuple[str, QueueChanges]:
    name, colon, settings = text.rpartition(":")
    changes: Any = dict(_setting(setting, text) for setting in settings.split(","))
    if not colon or not name:
        raise ConfigError(f"--set {text!r} names no queue; {_HOW_TO_SET}")
    return name, cast("QueueChanges", changes)


def _setting(setting: str, text: str) -> tuple[str, int | None]:
    key, _, value = setting.partition("=")
    if key not in QueueChanges.__annotations__ or not (value == "none" or value.isdecimal()):
        raise ConfigError(f"--set {text!r}: {setting!r} cannot be set; {_HOW_TO_SET}")
    return key, None if value == "none" else int(value)


def _most(limit: int | None) -> str:
    return "no limit" if limit is None else str(limit)
