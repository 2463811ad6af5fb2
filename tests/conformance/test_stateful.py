"""Every backend beside the reference: any sequence of writes has the same answers and leaves the same records."""

import asyncio
import operator
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.conformance.conformance_backends import FACTORIES
from tests.conformance.conformance_kit import FUNC, NOW, enqueue, plain

from outlive.backends.memory import MemoryBackend
from outlive.core.filter import EVERYTHING, Page, TaskFilter
from outlive.core.moves import (
    Abandon,
    Advance,
    AskCancel,
    Cancel,
    Fire,
    Log,
    Move,
    Permit,
    Release,
    Requeue,
    Rewrite,
    Settle,
    Start,
    Withdraw,
)
from outlive.core.progress import Progress
from outlive.core.queues import Limit, QueueConfig, QueueState
from outlive.core.record import TaskRecord
from outlive.core.schedule import ScheduleEntry
from outlive.core.states import TRANSITIONS, Event, TaskStatus
from outlive.ports import Wanted

IDS = [f"t{number}" for number in range(6)]
OWNERS = ["a", "b"]
FUNCTIONS = [FUNC, "app:other"]
KEYS = ["k", "l"]
#: A holder asks for one key only, as a name is made for one acquisition.
HOLDERS = ["k1", "k2", "k3", "l1", "l2"]
ENDS = sorted((event, status) for (event, old), to in TRANSITIONS.items() if old is TaskStatus.RUNNING for status in to)

QUEUES = ["default", "slow"]
LIMITS = [Limit("one", 1), Limit("two", 2), Limit("rate", 3, 1.0)]

ids = st.sampled_from(IDS)
owners = st.sampled_from(OWNERS)
#: Mostly what the record has, so that most moves take effect.
drifts = st.sampled_from([0, 0, 0, 1, 1, -1])
holders = st.sampled_from(HOLDERS)
keys = st.sampled_from(KEYS)
spans = st.sampled_from([0.25, 0.5, 1.0, 3.0])
seconds = st.integers(-4, 4).map(lambda quarters: quarters / 4)

enqueues = st.fixed_dictionaries(
    {"verb": st.just("enqueue"), "id": ids},
    optional={
        "func": st.sampled_from(FUNCTIONS),
        "owner": owners,
        "run_in": seconds,
        "started": st.booleans(),
        "priority": st.sampled_from([-1, 0, 5]),
        "idempotency_key": st.sampled_from(["k", "l"]),
        "run_key": st.sampled_from(["r", "s"]),
        "recoverable": st.booleans(),
        "requeue_on_interrupt": st.booleans(),
        "queue": st.sampled_from(QUEUES),
        "rejected": st.sampled_from([None, None, "full"]),
        "tags": st.just({"tag": "value"}),
    },
)
others = st.fixed_dictionaries(
    {
        "verb": st.sampled_from(
            [
                "start",
                "start",
                "start_limited",
                "start_limited",
                "settle",
                "settle",
                "release",
                "abandon",
                "cancel",
                "ask_cancel",
                "requeue",
                "log",
                "advance",
                "rewrite",
            ]
        ),
        "id": ids,
        "drift": drifts,
        "stranger": st.sampled_from([None, None, None, *OWNERS]),
        "end": st.sampled_from(ENDS),
        "run_in": st.none() | seconds,
        "text": st.none() | st.sampled_from(["x", "y"]),
        "limits": st.lists(st.sampled_from(LIMITS), min_size=1, unique=True),
    }
)
SCHEDULES = ["hourly", "nightly"]
schedules = st.sampled_from(SCHEDULES)
fires = st.fixed_dictionaries(
    {
        "verb": st.just("fire"),
        "id": ids,
        "schedule": schedules,
        # Mostly the slot that is next, so that most take effect.
        "late": st.sampled_from([0, 0, 0, 0, 0.25]),
        "next_in": st.sampled_from([0.25, 0.5, None]),
        "becomes": st.sampled_from([True, True, False]),
        "exclusive": st.booleans(),
        "waits": st.sampled_from([False, False, True]),
        "missed": st.sampled_from([0, 0, 2]),
    }
)
withdrawals = st.fixed_dictionaries({"verb": st.just("withdraw"), "id": ids, "key": st.sampled_from(["r", "s"])})
steps = st.lists(enqueues | others | fires | withdrawals, min_size=1, max_size=7)
entries = st.builds(
    ScheduleEntry,
    schedules,
    st.just(FUNC),
    st.sampled_from(["a", "b"]),
    st.sampled_from([NOW, NOW + 0.5, NOW + 1.25, None]),
    st.sampled_from([None, 0.5]),
    st.sampled_from(["", "strict"]),
    st.booleans(),
)


async def call(backend: Any, verb: str, args: tuple[Any, ...]) -> Any:
    return await operator.attrgetter(verb)(backend)(*args)


class Comparison(RuleBasedStateMachine):
    """Drives a backend and the reference with the same calls."""

    name = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.now = NOW
        self.reference = MemoryBackend()
        self.backend = FACTORIES[self.name](self.folder)
        self.run(self.backend.open())

    def teardown(self) -> None:
        self.run(self.backend.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def run(self, called: Any) -> Any:
        return self.runner.run(called)

    def both(self, verb: str, *args: Any) -> tuple[Any, Any]:
        return self.run(call(self.backend, verb, args)), self.run(call(self.reference, verb, args))

    @rule(steps=steps)
    def apply(self, steps: list[dict[str, Any]]) -> None:
        self.now += 0.25
        states = {state.name: state.next_at for state in self.run(self.reference.schedules())}
        moves = [move for step in steps for move in self.moves(step, states)]
        ours, theirs = self.both("apply", moves)
        assert list(ours) == list(theirs), moves

    @rule(
        owner=owners,
        functions=st.sets(st.sampled_from(FUNCTIONS)),
        limit=st.integers(0, 4),
        refused=st.sets(ids),
        queues=st.none() | st.sets(st.sampled_from(QUEUES)),
        without_queues=st.sets(st.sampled_from(QUEUES)),
    )
    def claim(self, owner: str, limit: int, **which: Any) -> None:
        ours, theirs = self.both("claim", Wanted(owner=owner, limit=limit, now=self.now, **which))
        assert [plain(record) for record in ours.records] == [plain(record) for record in theirs.records]
        assert ours.next_at == theirs.next_at

    @rule(functions=st.sets(st.sampled_from(FUNCTIONS)))
    def explain(self, functions: set[str]) -> None:
        ours, theirs = self.both("explain", functions, "not known")
        assert ours == theirs

    @rule(owner=owners)
    def asked_to_cancel(self, owner: str) -> None:
        ours, theirs = self.both("asked_to_cancel", owner)
        assert ours == theirs

    @rule(instance=owners)
    def rescue(self, instance: str) -> None:
        ours, theirs = self.both("rescue", instance, self.now, "died")
        assert sorted(ours.requeued) == sorted(theirs.requeued)
        assert sorted(ours.interrupted) == sorted(theirs.interrupted)

    @rule(
        statuses=st.sets(st.sampled_from(TaskStatus)),
        ago=seconds,
        functions=st.none() | st.sets(st.sampled_from(FUNCTIONS)),
        without=st.sets(st.sampled_from(FUNCTIONS)),
    )
    def prune(self, statuses: set[TaskStatus], ago: float, functions: set[str] | None, without: set[str]) -> None:
        ours, theirs = self.both("prune", statuses, self.now - ago, 100, functions, without)
        assert ours == theirs

    @rule(entries=st.lists(entries, max_size=2, unique_by=lambda entry: entry.name))
    def register(self, entries: list[ScheduleEntry]) -> None:
        self.both("register", entries, self.now)

    @rule(name=schedules, paused=st.booleans(), next_in=seconds)
    def pause(self, name: str, *, paused: bool, next_in: float) -> None:
        ours = self.run(self.backend.pause(name, self.now + next_in, paused=paused))
        assert ours == self.run(self.reference.pause(name, self.now + next_in, paused=paused))

    @rule(entry=entries, new=st.booleans())
    def put(self, entry: ScheduleEntry, *, new: bool) -> None:
        assert self.run(self.backend.put(entry, new=new)) == self.run(self.reference.put(entry, new=new))

    @rule(name=schedules)
    def remove(self, name: str) -> None:
        ours, theirs = self.both("remove", name)
        assert ours == theirs

    @rule(limit=st.integers(0, 3), without=st.sets(schedules), ahead=seconds)
    def due(self, limit: int, without: set[str], ahead: float) -> None:
        ours, theirs = self.both("due", self.now + ahead, limit, without)
        assert ours == theirs

    @rule(holder=holders, span=spans, wait=st.sampled_from([0.0, 0.0, 0.5, 2.0]))
    def take(self, holder: str, span: float, wait: float) -> None:
        self.now += 0.25
        ours, theirs = self.both("leases.take", holder[0], holder, span, self.now, wait)
        assert ours == theirs

    @rule(holder=holders, key=keys, span=spans)
    def renew(self, holder: str, key: str, span: float) -> None:
        ours, theirs = self.both("leases.renew", key, holder, span, self.now)
        assert ours == theirs

    @rule(holder=holders)
    def drop(self, holder: str) -> None:
        ours, theirs = self.both("leases.drop", holder[0], holder, self.now)
        assert ours == theirs

    @rule(key=keys, reason=st.sampled_from(["hangs", "deploy"]))
    def force(self, key: str, reason: str) -> None:
        ours, theirs = self.both("leases.force", key, reason, self.now)
        assert ours == theirs

    @rule(name=st.sampled_from(QUEUES), most=st.sampled_from([None, 2]), paused=st.booleans())
    def set_queue(self, name: str, most: int | None, *, paused: bool) -> None:
        self.both("set_queue", QueueState(name, None if most is None else QueueConfig(most), paused))

    @rule()
    def reopen(self) -> None:
        if self.backend.durable:
            self.run(self.backend.close())
            self.run(self.backend.open())

    @rule(
        statuses=st.none() | st.frozensets(st.sampled_from(TaskStatus)),
        func=st.sampled_from([None, FUNC, "send", "other"]),
        schedule=st.sampled_from([None, None, "hourly"]),
        queue=st.sampled_from([None, "slow"]),
        limit=st.integers(0, 4),
        before=st.none() | ids,
    )
    def find(
        self,
        statuses: frozenset[TaskStatus] | None,
        func: str | None,
        schedule: str | None,
        queue: str | None,
        limit: int,
        before: str | None,
    ) -> None:
        ours, theirs = self.both("find", TaskFilter(statuses, func, queue, schedule=schedule), Page(limit, before))
        assert [plain(record) for record in ours] == [plain(record) for record in theirs]

    @invariant()
    def same_records(self) -> None:
        for task_id in IDS:
            ours, theirs = self.both("get", task_id)
            assert (ours and plain(ours)) == (theirs and plain(theirs))
        ours, theirs = self.both("planned", self.now + 0.5, 1000)
        assert [plain(record) for record in ours] == [plain(record) for record in theirs]
        ours, theirs = self.both("find", EVERYTHING, Page())
        assert [plain(record) for record in ours] == [plain(record) for record in theirs]

    @invariant()
    def same_schedules(self) -> None:
        ours, theirs = self.both("schedules")
        assert ours == theirs
        for name in SCHEDULES:
            ours, theirs = self.both("gaps", name, 3)
            assert list(ours) == list(theirs)

    @invariant()
    def same_leases(self) -> None:
        ours, theirs = self.both("leases.held", self.now)
        assert list(ours) == list(theirs)

    @invariant()
    def same_queues(self) -> None:
        ours, theirs = self.both("queues")
        assert ours == theirs
        ours, theirs = self.both("depths")
        assert ours == theirs

    @invariant()
    def same_counts(self) -> None:
        ours, theirs = self.both("counts")
        assert {status: count for status, count in ours.items() if count} == dict(theirs)

    def moves(self, step: dict[str, Any], states: dict[str, float | None]) -> list[Move]:
        if step["verb"] == "start_limited":
            start = self.move(step | {"verb": "start"})
            assert isinstance(start, Start)
            permit = Permit(start.id, start.fence, start.owner, self.now, step["limits"])
            return [replace(permit, asks=True), permit, replace(start, limited=True)]
        if step["verb"] != "fire":
            return [self.move(step)]
        slot = (states.get(step["schedule"]) or self.now) + step["late"]
        next_at = None if step["next_in"] is None else slot + step["next_in"]
        fired = slot if step["becomes"] else None
        more = step["exclusive"], step["waits"], step["missed"], "late"
        fire = Fire(step["id"], step["schedule"], slot, next_at, self.now, fired, *more)
        states[step["schedule"]] = next_at
        return [fire, enqueue(step["id"], created_at=self.now, run_at=slot, schedule=step["schedule"])]

    def move(self, step: dict[str, Any]) -> Move:
        if step["verb"] == "enqueue":
            return self.enqueue(step)
        if step["verb"] == "withdraw":
            return Withdraw(step["id"], step["key"], self.now, "replaced")
        record = self.run(self.reference.get(step["id"]))
        fence = max(0, (record.fence if record else 0) + step["drift"])
        owner = step["stranger"] or (record.owner if record else None) or "a"
        made: dict[str, Callable[[], Move]] = {
            "start": lambda: Start(step["id"], fence, owner, self.now),
            "settle": lambda: self.settle(step, fence),
            "release": lambda: Release(step["id"], owner, step["text"]),
            "abandon": lambda: Abandon(step["id"], owner, self.now, "cannot be rebuilt"),
            "cancel": lambda: Cancel(step["id"], self.now, "asked"),
            "ask_cancel": lambda: AskCancel(step["id"], step["text"]),
            "requeue": lambda: Requeue(step["id"], self.now),
            "advance": lambda: Advance(step["id"], fence, Progress(self.now, 9, step["text"], NOW).to_text()),
            "rewrite": lambda: self.rewrite(step, record),
            "log": lambda: Log(step["id"], fence, self.now, "info", step["text"] or ""),
        }
        return made[step["verb"]]()

    def enqueue(self, step: dict[str, Any]) -> Move:
        facts = {key: value for key, value in step.items() if key not in ("verb", "id", "run_in", "started")}
        facts["func_name"] = "send" if facts.get("func", FUNC) == FUNC else "other"
        facts["started_at"] = self.now if step.get("started") and not step.get("rejected") else None
        if facts["started_at"] is not None:
            facts.setdefault("owner", "a")  # what runs, runs somewhere
        return enqueue(step["id"], created_at=self.now, run_at=self.now + step.get("run_in", 0), **facts)

    def settle(self, step: dict[str, Any], fence: int) -> Move:
        event, status = step["end"]
        waits = status is TaskStatus.PENDING and step["run_in"] is not None
        run_at = self.now + step["run_in"] if waits else None
        error = "boom" if event in (Event.FAIL, Event.RETRY) else None
        text = step["text"]
        result = text if status is TaskStatus.SUCCESS else None
        return Settle(step["id"], fence, event, status, self.now, run_at, error, text, text, result)

    def rewrite(self, step: dict[str, Any], record: TaskRecord | None) -> Rewrite:
        arguments, result = (record.arguments, record.result) if record and not step["stranger"] else ("{}", None)
        return Rewrite(step["id"], arguments, step["text"], result, step["text"] and result)


#: A server takes more time for each of its answers.
EXAMPLES = {"postgres": 20}


@pytest.mark.timeout(400)  # when it fails, Hypothesis looks for the shortest way there for at most 300 s
@pytest.mark.parametrize("name", [name for name in FACTORIES if name != "memory"])
def test_like_the_reference(name):
    machine = type(f"Comparison_{name}", (Comparison,), {"name": name})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES.get(name, 60),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
