"""The inside of a worker process: takes one job after the other until its keeper is gone."""

import asyncio
import inspect
import os
import pickle
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from outlive.core.failure import failed
from outlive.definitions.context import current
from outlive.executors.process.messages import Begun, Job, Line, Raised, Returned, Step

#: Seconds between looks at whether the keeper still lives.
_LOOK = 1.0


def serve(connection: "Connection[Any, Any]", keeper: int) -> None:
    """Run jobs; end when the keeper, a process id, is gone or has closed its end of the pipe."""
    _begin_session()
    # Who stops the application (a terminal, a service manager) signals all its processes; when a body ends is decided
    # by the keeper. Functions instead of SIG_IGN, which programs that a body starts would inherit.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave_it_to_the_keeper)
    pipe = _Pipe(connection, keeper)
    threading.Thread(target=pipe.listen, name="outlive keeper", daemon=True).start()
    while True:
        _do(pipe.jobs.get(), pipe)


def _leave_it_to_the_keeper(_number: int, _frame: object) -> None:
    pass


def _begin_session() -> None:
    """Hold together what the bodies start, so that it can end with the worker."""
    if hasattr(os, "setsid"):
        with suppress(PermissionError):  # it is the first of its group already
            os.setsid()


def _end_session() -> None:
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


class _Pipe:
    """The way to the keeper, for all threads of the worker."""

    def __init__(self, connection: "Connection[Any, Any]", keeper: int) -> None:
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self._connection = connection
        self._keeper = keeper
        self._lock = threading.Lock()

    def listen(self) -> None:
        """Take in jobs; a worker whose keeper is gone must not go on, somebody else may repeat its work."""
        with suppress(EOFError, OSError):
            # A child that the keeper forked holds the pipe open beyond the keeper's death.
            while os.getppid() == self._keeper:
                if self._connection.poll(_LOOK):
                    self.jobs.put(self._connection.recv())
        _end_session()

    def send(self, message: Any) -> None:
        """Say something; where nobody hears it, `listen` is about to end the process."""
        with self._lock, suppress(OSError):
            self._connection.send(message)


class _Run:
    """What code inside the body asks and says of its run."""

    is_stopping = has_seen_stop = False  # who has to stop is killed

    def __init__(self, job: Job, pipe: _Pipe) -> None:
        self.id = job.id
        self.func_name = job.func_name
        self.attempts = job.attempts
        self.turn_token = job.turn_token
        self.tags = job.tags
        self._pipe = pipe

    def log(self, level: str, message: str, extra: Mapping[str, Any]) -> None:
        """Append a line to the log of the record."""
        self._pipe.send(Line(level, message, {name: _portable(value) for name, value in extra.items()}))

    def advance(self, done: float, total: float | None, message: str | None) -> None:
        """Say how far the body has come."""
        self._pipe.send(Step(done, total, message))


def _portable(value: Any) -> Any:
    """A value that surely arrives as it is; of any other the text."""
    return value if value is None or type(value) in (str, int, float, bool) else repr(value)


def _do(job: Job, pipe: _Pipe) -> None:
    token = current.set(_Run(job, pipe))
    try:
        func, args, kwargs = pickle.loads(job.payload)  # noqa: S301 - from our own keeper
        pipe.send(Begun())
        answer: Any = _returned(_finish(func, args, kwargs), pipe)
    except BaseException as error:  # noqa: BLE001 - also SystemExit is only this task's end
        answer = _raised(error)
    finally:
        current.reset(token)
    pipe.send(answer)


def _finish(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = func(*args, **kwargs)
    return asyncio.run(value) if inspect.iscoroutine(value) else value


def _returned(value: Any, pipe: _Pipe) -> Returned:
    try:
        return Returned(pickle.dumps(value))
    except Exception as error:  # noqa: BLE001 - the work is done; only its value has no way out of this process
        told = f"what the function returned cannot leave its process ({type(value).__name__}): {error}"
        pipe.send(Line("warning", told, {}))
        return Returned(pickle.dumps(None))


def _raised(error: BaseException) -> Raised:
    outcome = failed(error)
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)  # noqa: S301 - our own; many exceptions can be written and not read
    except Exception:  # noqa: BLE001 - whatever is the matter with it
        pickled = None
    return Raised(pickled, outcome.error, outcome.stacktrace)
