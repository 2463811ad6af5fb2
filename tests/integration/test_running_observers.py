"""Observers: what they are told, in which order, and that nobody waits for them."""

import asyncio
import logging
import threading
import time
from typing import Any, cast

import pytest
from support import process_bodies as bodies
from support.recording import captured_log
from support.waiting import ended, until

from outlive import (
    ConfigError,
    FileLogger,
    InMemoryLogger,
    StdoutLogger,
    TaskLogHandler,
    TaskManager,
    TaskObserver,
    task_log,
)
from outlive.core.events import AttemptFailed, LifecycleEvent, LogEvent, RuntimeEvent
from outlive.runtime import logger_chain


async def speak(word: str = "hello") -> None:
    task_log(word, user=5)
    task_log("and on", level="warning")


def fail() -> None:
    task_log("trying")
    raise ValueError("no")


async def test_a_task_that_speaks_and_ends_is_told_in_order(backend_url):
    memory = InMemoryLogger()
    manager = TaskManager(backend_url, loggers=[memory])
    async with manager:
        task = await manager.using(tags={"tenant": "a"}).enqueue(speak)
        record = await ended(manager, task.id)

    first, second = memory.log_events
    assert (first.task_id, first.func_name, first.message, first.level) == (task.id, "speak", "hello", "info")
    assert (first.attempt, dict(first.tags), dict(first.extra)) == (0, {"tenant": "a"}, {"user": 5})
    assert (second.message, second.level) == ("and on", "warning")
    assert first.timestamp == record.logs[0].at
    assert record.logs[0].message == "hello user=5"
    began, over = memory.lifecycle_events
    assert (began.status, began.duration, over.status) == ("running", None, "success")
    assert over.duration is not None
    assert over.timestamp == record.end_time
    memory.clear()
    assert memory.log_events == memory.lifecycle_events == []


async def test_a_retried_task_begins_once_and_fails_once(backend_url):
    memory = InMemoryLogger()
    manager = TaskManager(backend_url, loggers=[memory])
    async with manager:
        await ended(manager, (await manager.using(retries=2).enqueue(fail)).id)

    assert [event.status for event in memory.lifecycle_events] == ["running", "failed"]
    assert [event.attempt for event in memory.log_events] == [0, 1, 2]
    failed = memory.lifecycle_events[-1]
    assert (failed.retries_used, failed.error) == (2, "no")
    assert "ValueError" in str(failed.stacktrace)


async def test_cancelled_and_interrupted_tasks_are_told(backend_url):
    memory, entered = InMemoryLogger(), asyncio.Event()

    async def stay() -> None:
        entered.set()
        await asyncio.Event().wait()

    manager = TaskManager(backend_url, loggers=[memory], shutdown_grace=0)
    async with manager:
        task = await manager.enqueue(stay)
        await entered.wait()
        await task.cancel()
        await ended(manager, task.id)
        entered.clear()
        await manager.enqueue(stay)
        await entered.wait()

    statuses = [event.status for event in memory.lifecycle_events]
    assert statuses == ["running", "cancelled", "running", "interrupted"]


async def test_a_body_in_a_process_is_heard_with_what_it_says_beside_the_message(backend_url):
    memory = InMemoryLogger()
    manager = TaskManager(backend_url, loggers=[memory], max_process_workers=1)
    async with manager:
        task = await manager.using(executor="process").enqueue(bodies.says_more)
        record = await ended(manager, task.id)

    [event] = memory.log_events
    assert (event.message, dict(event.extra)) == ("said", {"n": 1, "thing": "{1}"})
    assert record.logs[0].message.startswith("said n=1 thing=")


class Slow(TaskObserver):
    """Takes a second for everything, on the loop."""

    async def on_log(self, event: LogEvent) -> None:
        await asyncio.sleep(1)  # noqa: TID251 - long work

    async def on_lifecycle(self, event: LifecycleEvent) -> None:
        await asyncio.sleep(1)  # noqa: TID251 - long work


class Blocking(TaskObserver):
    """Never comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.hold = threading.Event()

    def on_lifecycle(self, event: LifecycleEvent) -> None:
        self.hold.wait(30)


class Broken(TaskObserver):
    def on_log(self, event: LogEvent) -> None:
        raise LookupError("broken")

    async def on_lifecycle(self, event: LifecycleEvent) -> None:
        raise SystemExit(3)


async def test_observers_that_wait_block_or_raise_touch_neither_tasks_nor_each_other(backend_url, monkeypatch):
    monkeypatch.setattr(logger_chain, "PATIENCE", 0.05)
    order: list[str] = []

    async def step(word: str) -> None:
        task_log(word)
        order.append(word)

    blocking, memory = Blocking(), InMemoryLogger()
    manager = TaskManager(backend_url, loggers=[Slow(), blocking, Broken(), memory], max_concurrent_tasks=1)
    began = time.monotonic()
    with captured_log("outlive") as lines:
        async with manager:
            for number in range(5):
                await ended(manager, (await manager.enqueue(step, str(number))).id)
            took = time.monotonic() - began
            records = await manager.find()
            await until(lambda: len(memory.lifecycle_events) == 10)
            heard = [event.message for event in memory.log_events]
        blocking.hold.set()

    assert order == heard == ["0", "1", "2", "3", "4"]
    assert took < 1
    assert all(record.duration is not None and record.duration < 1 for record in records)
    told = [line.getMessage() for line in lines]
    assert "observer Broken raised on LogEvent" in told
    assert "observer Broken raised on LifecycleEvent" in told
    assert {"observer Slow raised on close", "observer Blocking raised on close"} <= set(told)


async def test_plain_methods_run_in_a_thread_of_their_own_and_coroutines_on_the_loop():
    places: dict[str, list[object]] = {}

    class Look(TaskObserver):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.mine = places.setdefault(name, [])

        async def startup(self) -> None:
            self.mine.append(asyncio.get_running_loop())

        def on_log(self, event: LogEvent) -> None:
            self.mine.append(threading.current_thread())

        async def on_lifecycle(self, event: LifecycleEvent) -> None:
            self.mine.append(asyncio.get_running_loop())

        async def close(self) -> None:
            self.mine.append("closed")

    manager = TaskManager(loggers=[Look("a"), Look("b")])
    async with manager:
        await (await manager.enqueue(speak)).result()

    loop = asyncio.get_running_loop()
    for mine in places.values():
        assert mine == [loop, loop, mine[2], mine[2], loop, "closed"]
        assert isinstance(mine[2], threading.Thread)
        assert mine[2] is not threading.main_thread()
    assert places["a"][2] is not places["b"][2]


async def test_one_that_cannot_start_is_left_out():
    class Refuses(TaskObserver):
        def startup(self) -> None:
            raise OSError("no such host")

        def on_log(self, event: LogEvent) -> None:
            raise AssertionError("told although it did not start")

    memory = InMemoryLogger()
    with captured_log("outlive") as lines:
        async with TaskManager(loggers=[Refuses(), memory]) as manager:
            await (await manager.enqueue(speak)).result()

    assert [line.getMessage() for line in lines] == ["observer Refuses raised on startup"]
    assert len(memory.log_events) == 2


async def test_one_that_is_too_far_behind_is_told_no_more_and_the_log_says_so(monkeypatch):
    monkeypatch.setattr(logger_chain, "WAITING", 3)
    hold, heard = asyncio.Event(), list[str]()

    class Behind(TaskObserver):
        async def on_log(self, event: LogEvent) -> None:
            await hold.wait()
            heard.append(event.message)

    async def chatter() -> None:
        for number in range(10):
            task_log(str(number))

    with captured_log("outlive") as lines:
        async with TaskManager(loggers=[Behind()]) as manager:
            await (await manager.enqueue(chatter)).result()
            hold.set()
            assert manager.logger is not None
            await manager.logger.flush()

    assert heard == ["0", "1", "2"]
    assert [line.getMessage() for line in lines] == ["observer Behind is behind and is not told of 7 events"]


async def test_a_function_takes_every_event():
    events: list[RuntimeEvent] = []
    manager = TaskManager(loggers=[events.append])
    async with manager:
        task = await manager.enqueue(fail)
        await ended(manager, task.id)

    assert [type(event) for event in events] == [LifecycleEvent, LogEvent, LifecycleEvent, AttemptFailed]


async def test_a_function_that_always_raises_is_not_told_of_that():
    def broken(event: RuntimeEvent) -> None:
        raise LookupError(type(event).__name__)

    with captured_log("outlive") as lines:
        async with TaskManager(loggers=[broken]) as manager:
            await (await manager.enqueue(speak)).result()

    told = [line.getMessage().rpartition(" ")[2] for line in lines]
    assert told == ["LifecycleEvent", "LogEvent", "LogEvent", "LifecycleEvent"]


async def test_a_coroutine_function_takes_every_event_too():
    events: list[RuntimeEvent] = []

    async def take(event: RuntimeEvent) -> None:
        events.append(event)

    async with TaskManager(loggers=[take]) as manager:
        await (await manager.enqueue(speak)).result()

    assert [type(event) for event in events] == [LifecycleEvent, LogEvent, LogEvent, LifecycleEvent]


@pytest.mark.parametrize(
    ("least", "messages", "statuses"),
    [
        ("debug", ["d", "i", "w", "e"], ["running", "failed"]),
        ("info", ["i", "w", "e"], ["running", "failed"]),
        ("warning", ["w", "e"], ["failed"]),
        ("error", ["e"], ["failed"]),
    ],
)
async def test_what_is_less_severe_is_not_told(least, messages, statuses):
    async def chatter() -> None:
        for level in ("debug", "info", "warning", "error"):
            task_log(level[0], level=level)
        raise ValueError("no")

    memory = InMemoryLogger(min_level=least)
    async with TaskManager(loggers=[memory]) as manager:
        await ended(manager, (await manager.enqueue(chatter)).id)

    assert [event.message for event in memory.log_events] == messages
    assert [event.status for event in memory.lifecycle_events] == statuses


async def test_a_manager_that_starts_again_tells_again():
    memory = InMemoryLogger()
    manager = TaskManager(loggers=[memory])
    for _ in range(2):
        async with manager:
            await (await manager.enqueue(speak)).result()

    assert [event.message for event in memory.log_events] == ["hello", "and on"] * 2


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: TaskManager(loggers=[FileLogger]), id="class"),
        pytest.param(lambda: TaskManager(loggers=cast("Any", [5])), id="number"),
        pytest.param(lambda: TaskObserver(min_level="loud"), id="level"),
        pytest.param(lambda: FileLogger("x.log", mode="append"), id="mode"),
        pytest.param(lambda: FileLogger("/no/such/folder/x.log"), id="folder"),
        pytest.param(lambda: FileLogger("x.log", max_bytes=-1), id="size"),
    ],
)
def test_what_cannot_work_is_refused_at_once(made):
    with pytest.raises(ConfigError):
        made()


# -- files and standard output -------------------------------------------------------------------


async def run_one(manager: TaskManager, func: Any = speak) -> str:
    async with manager:
        task = await manager.enqueue(func)
        await ended(manager, task.id)
    return task.id


async def test_a_file_has_a_line_for_each_log_call(tmp_path):
    task_id = await run_one(TaskManager(log_file=str(tmp_path / "tasks.log")))

    first, second = (tmp_path / "tasks.log").read_text().splitlines()
    assert first.startswith(f"[{task_id[-8:]}] [speak] 20")
    assert first.endswith("Z hello user=5")
    assert second.endswith("Z and on")


async def test_a_file_with_lifecycle_says_how_tasks_end(tmp_path):
    await run_one(TaskManager(log_file=tmp_path / "tasks.log", log_lifecycle=True, retries=1), fail)

    lines = (tmp_path / "tasks.log").read_text().splitlines()
    assert len(lines) == 4
    assert lines[0].endswith("-- RUNNING")
    assert "-- FAILED after 0.0" in lines[-1]
    assert lines[-1].endswith("1 retries: no")


async def test_a_file_is_rotated(tmp_path):
    path = tmp_path / "tasks.log"
    manager = TaskManager(log_file=path, log_file_max_bytes=150, log_file_backup_count=2)
    async with manager:
        for _ in range(6):
            await (await manager.enqueue(speak)).result()

    assert sorted(one.name for one in tmp_path.iterdir()) == ["tasks.log", "tasks.log.1", "tasks.log.2"]
    assert all(one.stat().st_size <= 150 for one in tmp_path.iterdir())


async def test_a_watched_file_that_was_moved_is_opened_anew(tmp_path):
    path, moved = tmp_path / "tasks.log", tmp_path / "moved.log"
    manager = TaskManager(log_file=path, log_file_mode="watched", log_file_max_bytes=1)
    async with manager:
        assert manager.logger is not None
        await (await manager.enqueue(speak, "before")).result()
        await manager.logger.flush()
        path.rename(moved)
        await (await manager.enqueue(speak, "after")).result()

    assert "before" in moved.read_text()
    assert "after" not in moved.read_text()
    assert "after" in path.read_text()


async def test_the_shorthand_is_ignored_beside_a_logger_of_the_same_file(tmp_path):
    path = tmp_path / "tasks.log"
    mine = FileLogger(path, min_level="warning")
    manager = TaskManager(loggers=[mine], log_file=str(path))
    assert manager.logger is not None
    assert manager.logger.observers == (mine,)

    await run_one(manager)

    assert len(path.read_text().splitlines()) == 1


async def test_standard_output_shows_both(capsys):
    await run_one(TaskManager(loggers=[StdoutLogger()]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" ")[2] for line in lines[:2]] == ["RUNNING", "user=5"]
    assert len(lines) == 4

    await run_one(TaskManager(loggers=[StdoutLogger(log_lifecycle=False)]))
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_chain_is_there_only_where_somebody_listens(tmp_path):
    assert TaskManager().logger is None
    assert TaskManager(loggers=[]).logger is None
    assert TaskManager(log_file=tmp_path / "x.log").logger is not None


# -- the standard logging ------------------------------------------------------------------------


@pytest.fixture
def shop_log():
    logger, handler = logging.getLogger("shop"), TaskLogHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("threaded", [False, True])
async def test_lines_of_the_standard_logging_stand_in_the_record(manager, shop_log, threaded):
    async def body() -> None:
        log()

    def log() -> None:
        shop_log.debug("too little")
        shop_log.info("packed %d", 3)
        shop_log.critical("on fire")

    async with manager:
        task = await manager.enqueue(log if threaded else body)
        record = await ended(manager, task.id)
        shop_log.info("outside of any task")

    assert [(line.level, line.message) for line in record.logs] == [("info", "packed 3"), ("error", "on fire")]


async def test_a_line_that_cannot_be_formatted_does_not_fail_the_task(manager, shop_log, capsys, monkeypatch):
    monkeypatch.setattr(shop_log, "propagate", False)  # the test runner's own handler insists on lines that can be

    async def body() -> None:
        shop_log.info("%d", "no number")

    async with manager:
        task = await manager.enqueue(body)
        assert (await ended(manager, task.id)).status == "success"
    assert "Logging error" in capsys.readouterr().err
