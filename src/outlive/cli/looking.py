"""Commands about what runs the tasks: schedules, queues, locks, instances."""

from typing import Annotated, Any, cast

import typer

from outlive.cli.printing import ago, as_json, table
from outlive.cli.target import App, AsJson, Backend, opened, run
from outlive.errors import ConfigError
from outlive.runtime.queue_control import QueueChanges

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

    async def command() -> None:
        async with opened(app, backend) as manager:
            if pause is not None:
                await manager.pause_schedule(pause)
            if resume is not None:
                await manager.resume_schedule(resume)
            if reset is not None:
                await manager.reset_schedule(reset)
            if remove is not None:
                if app is None:
                    raise ConfigError("--remove needs --app, which knows what the code declares")
                await manager.remove_schedule(remove)
            if trigger is not None:
                task = await manager.trigger_schedule(trigger)
                typer.echo(f"{trigger} runs as {task.id}", err=True)
            found = await manager.schedules()
        if json:
            as_json([one.to_dict() for one in found])
            return
        rows = (
            (
                one.name,
                one.trigger,
                one.timezone,
                "paused" if one.paused else ago(one.next_fires[0]) if one.next_fires else "-",
                ago(one.last_fire),
                one.missed,
            )
            for one in found
        )
        table(("name", "fires", "zone", "next", "last", "missed"), rows, "no schedules")

    run(command)


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

    async def command() -> None:
        async with opened(app, backend) as manager:
            if pause is not None:
                await manager.pause_queue(pause)
            if resume is not None:
                await manager.resume_queue(resume)
            if reset is not None:
                await manager.reset_queue_config(reset)
            if change is not None:
                name, changes = _changes(change)
                await manager.update_queue_config(name, **changes)
            found = await manager.queues()
        if json:
            as_json([one.to_dict() for one in found])
            return
        rows = (
            (
                one.name,
                "paused" if one.paused else "open",
                one.pending,
                one.running,
                ago(one.oldest_at),
                _most(one.config.concurrency),
                _most(one.config.global_concurrency),
                _most(one.config.max_size),
            )
            for one in found
        )
        headings = ("name", "state", "pending", "running", "oldest", "per instance", "in all", "max size")
        table(headings, rows, "no queues have tasks or settings")

    run(command)


def locks(
    release: Annotated[str | None, typer.Option(help="Key of one to take from its holder.")] = None,
    reason: Annotated[str | None, typer.Option(help="What the holder is told.")] = None,
    app: App = None,
    backend: Backend = None,
    json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """List locks and leaderships that are held; take one from its holder."""

    async def command() -> None:
        async with opened(app, backend) as manager:
            if release is not None:
                if reason is None:
                    raise ConfigError("--release needs a --reason, which the holder is told")
                freed = await manager.force_release(release, reason)
                typer.echo(f"{release} was {'taken from its holder' if freed else 'held by nobody'}", err=True)
            found = await manager.leases()
        if json:
            as_json([_lease(one) for one in found])
            return
        rows = (
            (one.key, one.holder, one.fence, ago(one.taken_at), ago(one.expires_at), len(one.waiting)) for one in found
        )
        table(("key", "holder", "token", "taken", "expires", "waiting"), rows, "nobody holds a lock")

    run(command)


def instances(app: App = None, backend: Backend = None, json: AsJson = False) -> None:  # noqa: FBT002
    """List the processes that are at work."""

    async def command() -> None:
        async with opened(app, backend) as manager:
            own = manager.runtime.process.instance.id
            found = [one for one in await manager.backend.instances() if one.instance.id != own]
        if json:
            as_json(
                [
                    {
                        "id": one.instance.id,
                        "host": one.instance.host,
                        "pid": one.instance.pid,
                        "started_at": one.instance.started_at,
                        "beat_at": one.beat_at,
                        "lease": one.instance.lease,
                    }
                    for one in found
                ]
            )
            return
        rows = (
            (one.instance.id, one.instance.host, one.instance.pid, ago(one.instance.started_at), ago(one.beat_at))
            for one in found
        )
        table(("id", "host", "pid", "started", "last sign"), rows, "no process is at work")

    run(command)


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


def _lease(lease: Any) -> dict[str, Any]:
    return {
        "key": lease.key,
        "holder": lease.holder,
        "fence": lease.fence,
        "taken_at": lease.taken_at,
        "expires_at": lease.expires_at,
        "waiting": list(lease.waiting),
    }
