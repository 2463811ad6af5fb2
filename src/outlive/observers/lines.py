"""Events as lines of text."""

from outlive.core.events import LifecycleEvent, LogEvent


def log_line(event: LogEvent) -> str:
    """What a task has said."""
    more = "".join(f" {name}={value!r}" for name, value in event.extra.items())
    return f"{_head(event)} {event.timestamp:%Y-%m-%dT%H:%M:%SZ} {event.message}{more}"


def lifecycle_line(event: LifecycleEvent) -> str:
    """How a task has got on."""
    line = f"{_head(event)} {event.timestamp:%Y-%m-%dT%H:%M:%SZ} -- {event.status.value.upper()}"
    if event.duration is not None:
        line += f" after {event.duration:.3f} s"
    if event.retries_used:
        line += f", {event.retries_used} retries"
    return f"{line}: {event.error}" if event.error else line


def _head(event: LogEvent | LifecycleEvent) -> str:
    # Ids begin with the time: their ends tell tasks of one second apart.
    return f"[{event.task_id[-8:]}] [{event.func_name}]"
