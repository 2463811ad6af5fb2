"""One worker process as its keeper sees it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any

from outlive.executors.process.child import serve
from outlive.executors.process.messages import Answer, Died, Job, Raised, Returned

#: Seconds between the end of a pipe and that of its process.
_LAST_MOMENT = 1.0

_spawn = multiprocessing.get_context("spawn")


class Worker:
    """A process that runs one body at a time; `kill` ends it with the programs that its bodies started, and no other.

    A program is spared if it was started in a session of its own.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_buried = False
        self._connection, its_end = _spawn.Pipe()
        self._process = _spawn.Process(target=serve, args=(its_end, os.getpid()), name="outlive worker")
        try:
            self._process.start()
        except BaseException:
            self._connection.close()
            raise
        finally:
            its_end.close()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return not wait([self._process.sentinel], 0)

    def run(self, job: Job, hear: Callable[[Any], None]) -> Answer:
        """Let it run a body to its end; `hear` is told what it says meanwhile. Buried where it died of it."""
        with suppress(EOFError, OSError):
            self._connection.send(job)
            while not isinstance(message := self._connection.recv(), (Returned, Raised)):
                hear(message)
            return message
        return Died(self.bury())

    def kill(self) -> None:
        """End the process at once; harmless when it has ended. From any thread."""
        with self._guard:
            if not self._is_buried:
                _kill_session(self._process.pid)
                self._process.kill()  # it may be too young to have a session

    def bury(self) -> int | None:
        """See to it that the process has ended, let go of what it held, and give its exit code."""
        # As long as nobody has asked how the process ended, the name of its session is not given to others.
        wait([self._process.sentinel], _LAST_MOMENT)
        self.kill()
        self._process.join()
        with self._guard:
            self._is_buried = True
            self._connection.close()
            code = self._process.exitcode
            self._process.close()
        return code


def _kill_session(leader: int | None) -> None:
    if leader is not None and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
