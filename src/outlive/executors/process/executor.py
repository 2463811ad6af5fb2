"""Hands bodies to worker processes, one each, and kills the worker of a body that has to end."""

import asyncio
import os
import pickle
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.util import Finalize
from typing import Any

from outlive.core.failure import failed, timed_out
from outlive.core.settle import WORKER_DIED, Failed, Outcome, Succeeded
from outlive.core.text import storable
from outlive.executors.process.messages import Answer, Begun, Died, Job, Line, Raised, Returned, Step
from outlive.executors.process.worker import Worker
from outlive.ports import Call

#: Why a body does not begin.
_SLOW = "importing its module, or the main module of the application, hangs or takes too long"


class WorkerDied(Exception):  # noqa: N818 - names what happened, as the record shows it
    """The process that ran the task ended before the function did."""


class RemoteTraceback(Exception):  # noqa: N818 - the cause that a traceback shows
    """Where an exception was raised in another process."""


class ProcessExecutor:
    """Runs bodies in processes that are started when they are needed and used again.

    `limit`: how many, default one per processor (the seeds' `max_process_workers`). `start_up`: seconds that a worker
    has at least for its imports before its first body, which are not counted against the body's timeout.
    """

    can_interrupt = True

    def __init__(self, limit: int | None = None, start_up: float = 30.0) -> None:
        self.limit: int | None = limit or os.cpu_count() or 1
        self._start_up = start_up
        self._guard = threading.Lock()
        self._workers: set[Worker] = set()
        self._idle: list[Worker] = []
        self._is_shut = False
        # The interpreter would wait for processes that nobody has shut down.
        self._at_exit = Finalize(None, self._kill_all, exitpriority=100)

    async def call(self, call: Call) -> Outcome:
        """Run the body in a worker; where it is over its timeout or cancelled, its worker is killed."""
        errand = _Errand(self, call, asyncio.get_running_loop())
        threading.Thread(target=errand.go, name="outlive keeper", daemon=True).start()
        try:
            return await _in_time(errand, call, self._start_up)
        except asyncio.CancelledError as error:
            outcome = await errand.break_off()
            return outcome if isinstance(outcome, Succeeded) else failed(error)

    def shutdown(self) -> None:
        """Kill the workers; the drain has ended what ran in them."""
        self._at_exit.cancel()
        self._kill_all()
        for worker in self._idle:
            worker.bury()
        self._idle.clear()

    def _kill_all(self) -> None:
        with self._guard:
            self._is_shut = True
            for worker in self._workers:
                worker.kill()

    # -- workers, from the threads of errands ----------------------------------------------------

    def take(self) -> tuple[Worker, bool]:
        """A worker, and whether it is a new one."""
        while (worker := self._take_idle()) is not None:
            if worker.is_alive:
                return worker, False
            worker.bury()
            self.forget(worker)
        return self._start(), True

    def _take_idle(self) -> Worker | None:
        with self._guard:
            return self._idle.pop() if self._idle else None

    def _start(self) -> Worker:
        worker = Worker()
        with self._guard:
            self._workers.add(worker)
            if self._is_shut:
                worker.kill()
        return worker

    def give_back(self, worker: Worker) -> None:
        """Keep a worker for the next body."""
        with self._guard:
            if not self._is_shut:
                self._idle.append(worker)
                return
        worker.bury()

    def forget(self, worker: Worker) -> None:
        """Let go of a worker that has died."""
        with self._guard:
            self._workers.discard(worker)


class _Errand:
    """One body on its way through a worker; `go` blocks a thread of its own meanwhile."""

    def __init__(self, executor: ProcessExecutor, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        self._executor = executor
        self._call = call
        self._loop = loop
        self._guard = threading.Lock()
        self._worker: Worker | None = None
        self._is_broken_off = False
        self.begun: asyncio.Future[None] = loop.create_future()
        self.outcome: asyncio.Future[Outcome] = loop.create_future()

    def go(self) -> None:
        """Run the body and bring its outcome to the event loop."""
        try:
            call = self._call
            payload = pickle.dumps((call.body, call.args, call.kwargs))
            answer = self._run(Job(call.id, call.func_name, call.attempts, dict(call.tags), payload, call.turn_token))
            outcome = _outcome(answer, call)
        except BaseException as error:  # noqa: BLE001 - no process could be started, or an argument has changed
            outcome = failed(error)
        self._tell(_resolve, self.outcome, outcome)

    async def break_off(self) -> Outcome:
        """Kill the worker and give what became of the body, which may have ended in this very moment."""
        with self._guard:
            self._is_broken_off = True
            if self._worker is not None:
                self._worker.kill()
        while not self.outcome.done():
            with suppress(asyncio.CancelledError):  # it is being cancelled already
                await asyncio.wait([self.outcome])
        return self.outcome.result()

    def _run(self, job: Job) -> Answer:
        while True:
            worker, is_new = self._executor.take()
            answer = self._run_in(worker, job)
            # A used one that died before the body began had its end coming; that is not the body's fault.
            if is_new or self._is_broken_off or self.begun.done() or not isinstance(answer, Died):
                return answer

    def _run_in(self, worker: Worker, job: Job) -> Answer:
        with self._guard:
            self._worker = worker
            if self._is_broken_off:
                worker.kill()
        answer = worker.run(job, self._hear)
        with self._guard:
            self._worker = None
        if isinstance(answer, Died):
            self._executor.forget(worker)
        else:
            self._executor.give_back(worker)
        return answer

    def _hear(self, message: Begun | Line | Step) -> None:
        if isinstance(message, Line):
            self._call.log(message.level, message.message, message.extra)
        elif isinstance(message, Step):
            self._call.advance(message.done, message.total, message.message)
        else:
            self._tell(_resolve, self.begun, None)

    def _tell(self, step: Callable[..., None], *args: Any) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(partial(step, *args))


async def _in_time(errand: _Errand, call: Call, start_up: float) -> Outcome:
    # The time of the attempt begins with the body: a new worker first has to import the application.
    signs: list[asyncio.Future[Any]] = [errand.begun, errand.outcome]
    start_up = max(call.timeout or 0.0, start_up)
    begun = await _any_of(signs, None if call.timeout is None else start_up)
    if begun and await _any_of([errand.outcome], call.timeout):
        return errand.outcome.result()
    outcome = await errand.break_off()
    if not (isinstance(outcome, Failed) and outcome.worker_died):
        return outcome
    call.request_stop()
    if begun:
        assert call.timeout is not None
        return timed_out(call.timeout)
    return failed(TimeoutError(f"the worker process has not found the function within {start_up:g} s: {_SLOW}"))


async def _any_of(signs: "Sequence[asyncio.Future[Any]]", seconds: float | None) -> bool:
    done, _ = await asyncio.wait(signs, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


def _outcome(answer: Answer, call: Call) -> Outcome:
    match answer:
        case Returned(value):
            return Succeeded(_value(value, call))
        case Raised(exception, error, stacktrace):
            return Failed(_original(exception, error, stacktrace), error, stacktrace)
        case Died(exit_code):
            outcome = failed(WorkerDied(_what_happened(exit_code)))
            outcome.worker_died = True
            return outcome


def _value(pickled: bytes, call: Call) -> Any:
    try:
        return pickle.loads(pickled)  # noqa: S301 - from our own worker
    except Exception as error:  # noqa: BLE001 - the work is done; only its value cannot be read here
        call.log("warning", storable(f"what the function returned cannot be read outside its process: {error}"))
        return None


def _original(pickled: bytes | None, error: str, stacktrace: str) -> BaseException:
    try:
        exception: BaseException = RuntimeError(error) if pickled is None else pickle.loads(pickled)  # noqa: S301 - from our own worker
    except Exception:  # noqa: BLE001 - read there, it may still not be readable here
        exception = RuntimeError(error)
    exception.__cause__ = RemoteTraceback(f"\n{stacktrace}")
    return exception


def _what_happened(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        maybe = "; perhaps the system was out of memory" if name == "SIGKILL" else ""
        return f"{WORKER_DIED}was killed by {name}{maybe}"
    return f"{WORKER_DIED}ended by itself with exit code {exit_code} before the function did"


def _resolve(future: "asyncio.Future[Any]", value: Any) -> None:
    if not future.done():
        future.set_result(value)
