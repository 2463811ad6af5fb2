"""Group commit: what is written together lands together, and trouble hits only whom it must."""

import asyncio
import os

import pytest
from support.databases import FakeDatabase
from support.waiting import turns, until

from outlive import BackendUnavailableError, JournalFullError
from outlive.core.events import BackendRecovered, BackendTrouble, ServiceFailed
from outlive.core.moves import Cancel, Enqueue, Fire, Log, Settle
from outlive.core.states import TaskStatus
from outlive.definitions.registry import TaskRegistry
from outlive.errors import BackendInDoubtError
from outlive.ports import Instance
from outlive.runtime.journal import BATCH, Journal, commit
from outlive.runtime.process import Limits, Process
from outlive.runtime.store import TaskStore


@pytest.fixture
def database():
    return FakeDatabase()


@pytest.fixture
def events():
    return []


@pytest.fixture
async def journal(database, clock, events):
    instance = Instance("me", "host", os.getpid(), clock.now())
    limits = Limits(journal_capacity=1000)
    process = Process(instance, TaskRegistry(), TaskStore(), clock, events.append, limits, persists=True)
    journal = Journal(process, database)
    journal.start()
    yield journal
    database.gate.set()
    await journal.close(1)


def enqueue(number):
    return Enqueue(f"task-{number}", "app:work", "work", 1.0, 1.0, "me")


class Answers:
    """What a writer was told."""

    def __init__(self):
        self.told = []

    def __call__(self, answers, error):
        self.told.append((list(answers), error))


async def test_everything_written_in_one_turn_of_the_loop_is_one_transaction(journal, database):
    answers = await asyncio.gather(*(commit(journal, [enqueue(number)]) for number in range(100)))

    assert all(list(answer) == [True] for answer in answers)
    assert [len(batch) for batch in database.batches] == [100]


async def test_what_arrives_while_a_transaction_runs_joins_the_next_one(journal, database):
    database.gate.clear()
    first = asyncio.create_task(commit(journal, [enqueue("first")]))
    await until(lambda: database.attempts == 1)
    others = [asyncio.create_task(commit(journal, [enqueue(number)])) for number in range(50)]
    await turns()
    database.gate.set()
    await asyncio.gather(first, *others)

    assert [len(batch) for batch in database.batches] == [1, 50]


async def test_a_lone_write_is_committed_at_once_without_a_timer(journal, clock):
    before = clock.now()
    await asyncio.wait_for(commit(journal, [enqueue(1)]), 5)
    assert clock.now() == before


async def test_a_backend_says_how_long_a_batch_should_be(database, clock, events):
    database.batch_size = 30
    process = Process(
        Instance("me", "host", os.getpid(), clock.now()),
        TaskRegistry(),
        TaskStore(),
        clock,
        events.append,
        Limits(),
        persists=True,
    )
    journal = Journal(process, database)
    journal.start()

    whole = commit(journal, [enqueue(number) for number in range(100, 150)])
    await asyncio.gather(whole, *(commit(journal, [enqueue(number)]) for number in range(40)))

    assert [len(batch) for batch in database.batches] == [50, 30, 10]
    await journal.close(1)


async def test_moves_keep_the_order_in_which_they_were_written(journal, database):
    for number in range(10):
        journal.write([enqueue(number)])
        journal.write([Log(f"task-{number}", 1, 1.0, "info", "x"), Log(f"task-{number}", 1, 1.0, "info", "y")])
    await commit(journal, [enqueue("last")])

    written = [move.id for batch in database.batches for move in batch]
    assert written == [f"task-{number}" for number in range(10) for _ in range(3)] + ["task-last"]


async def test_a_transaction_has_a_largest_size_and_never_splits_what_belongs_together(journal, database):
    entries = [[enqueue(f"{number}-{part}") for part in range(300)] for number in range(3)]
    await asyncio.gather(*(commit(journal, moves) for moves in entries))

    assert [len(batch) for batch in database.batches] == [300, 300, 300]
    assert max(len(batch) for batch in database.batches) <= BATCH


async def test_each_writer_is_told_the_answers_to_its_own_moves(journal):
    answers = await asyncio.gather(
        commit(journal, [enqueue(1), Cancel("unknown", 2.0, "x")]),
        commit(journal, [Cancel("task-1", 2.0, "x"), Cancel("task-1", 2.0, "twice")]),
    )

    assert [list(answer) for answer in answers] == [[True, False], [True, False]]


async def test_one_guilty_move_does_not_fail_the_others_of_its_batch(journal, database):
    def refuse(moves):
        if any(move.id == "task-7" for move in moves):
            raise ValueError("cannot be stored")

    database.refuses = refuse
    answers = await asyncio.gather(
        *(commit(journal, [enqueue(number)]) for number in range(20)), return_exceptions=True
    )

    assert [number for number, answer in enumerate(answers) if isinstance(answer, ValueError)] == [7]
    assert sum(len(batch) for batch in database.batches) == 19


async def test_a_writer_whose_callback_fails_does_not_stop_the_journal(journal, events):
    def broken(answers, error):
        raise LookupError("a bug in a callback")

    journal.write([enqueue(1)], broken)
    assert list(await commit(journal, [enqueue(2)])) == [True]
    assert [type(event) for event in events] == [ServiceFailed]


async def test_who_asks_to_be_accepted_is_told_of_trouble_at_once(journal, database):
    database.is_up = False
    with pytest.raises(BackendUnavailableError):
        await asyncio.wait_for(commit(journal, [enqueue(1)]), 5)


async def test_what_must_land_is_held_in_its_order_and_tried_until_it_does(journal, database, clock, events):
    told = Answers()
    database.is_up = False
    for number in range(3):
        journal.write([enqueue(number)], told)
    await until(lambda: database.attempts == 1)
    await turns()
    assert told.told == []

    for _ in range(3):
        before = database.attempts
        clock.advance(2)
        await until(lambda: database.attempts > before)  # noqa: B023 - called at once
    database.is_up = True
    clock.advance(2)
    await until(lambda: len(told.told) == 3)

    assert told.told == [([True], None)] * 3
    assert [move.id for batch in database.batches for move in batch] == ["task-0", "task-1", "task-2"]
    assert [type(event) for event in events] == [BackendTrouble, BackendRecovered], "said once, not per attempt"


async def test_in_trouble_new_tasks_are_refused_while_what_must_land_keeps_waiting(journal, database, clock):
    told = Answers()
    database.is_up = False
    journal.write([enqueue("must land")], told)
    await until(lambda: database.attempts == 1)
    asking = asyncio.create_task(commit(journal, [enqueue("asks")]))
    await turns()
    clock.advance(2)
    with pytest.raises(BackendUnavailableError):
        await asyncio.wait_for(asking, 5)
    assert told.told == []

    database.is_up = True
    clock.advance(2)
    await until(lambda: told.told)
    assert [move.id for batch in database.batches for move in batch] == ["task-must land"]


async def test_the_pauses_between_tries_grow_up_to_a_second(journal, database, clock):
    database.is_up = False
    journal.write([enqueue(1)])
    pauses = []
    for _ in range(10):
        await turns()
        before, waited = database.attempts, 0.0
        while database.attempts == before and waited < 3:
            clock.advance(0.02)
            waited += 0.02
            await turns()
        pauses.append(round(waited, 2))

    assert pauses[0] < 0.1
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(1.0, abs=0.05)


async def test_a_full_journal_refuses_who_asks_and_takes_what_must_land(journal, database):
    database.gate.clear()
    journal.write([enqueue(number) for number in range(1000)])
    with pytest.raises(JournalFullError, match="1000"):
        journal.write([enqueue("asks")], refusable=True)
    told = Answers()
    journal.write([enqueue("must land")], told)
    database.gate.set()
    await until(lambda: told.told)

    assert list(await commit(journal, [enqueue("asks again")])) == [True], "there is room again"


async def test_closing_writes_what_still_waits(journal, database):
    for number in range(5):
        journal.write([enqueue(number)])
    assert await journal.close(5) == 0
    assert sum(len(batch) for batch in database.batches) == 5


async def test_closing_gives_up_after_its_patience_and_says_how_much_is_left(journal, database):
    database.gate.clear()
    for number in range(5):
        journal.write([enqueue(number)])
    assert await journal.close(0.05) == 5


async def test_closing_twice_and_closing_before_the_start_are_harmless(journal):
    assert await journal.close(1) == 0
    assert await journal.close(1) == 0


class Doubt:
    """A database whose connection breaks in the middle of a batch, `before` or after it was applied."""

    def __init__(self, database, *, applied):
        self.is_over = asyncio.Event()
        self._database = database
        self._applied = applied
        database.refuses = self._break

    def _break(self, moves):
        self._database.refuses = lambda moves: None
        answers = self._database.memory.apply_now(moves) if self._applied else None
        raise BackendInDoubtError("lost", lambda: self._word(moves, answers))

    async def _word(self, moves, answers):
        if not self.is_over.is_set():
            raise BackendInDoubtError("still lost", lambda: self._word(moves, answers))
        return answers if answers is not None else await self._database.apply(moves)


async def pass_time_until(clock, condition):
    for _ in range(50):
        clock.advance(1)
        await turns()
        if condition():
            return
    raise AssertionError("it did not happen")


@pytest.mark.parametrize("applied", [True, False])
async def test_a_batch_in_doubt_is_asked_about_and_has_its_own_answers(journal, database, clock, applied):
    doubt, answers = Doubt(database, applied=applied), Answers()
    journal.write([enqueue(1), enqueue(1)], answers)
    journal.write([Cancel("task-1", 2.0, "later")])
    await pass_time_until(clock, lambda: True)
    assert answers.told == []

    doubt.is_over.set()
    await pass_time_until(clock, lambda: answers.told)

    assert answers.told == [([True, False], None)]
    await until(lambda: database.memory._rows["task-1"].status is TaskStatus.CANCELLED)


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("started_at", [None, 1.0])
async def test_what_may_not_have_been_accepted_is_refused_at_once_and_never_runs(
    journal, database, clock, applied, started_at
):
    doubt = Doubt(database, applied=applied)
    move = enqueue(1)
    move.started_at = started_at

    with pytest.raises(BackendInDoubtError):
        await commit(journal, [move])
    doubt.is_over.set()
    await pass_time_until(clock, lambda: "task-1" in database.memory._rows)
    await until(lambda: database.memory._rows["task-1"].status is TaskStatus.CANCELLED)

    assert "may not have been accepted" in (await database.get("task-1")).reason


async def test_a_slot_in_doubt_is_waited_for(journal, database, clock):
    doubt = Doubt(database, applied=True)
    firing = asyncio.create_task(commit(journal, [Fire("task-1", "hourly", 1.0, 2.0, 1.5, 1.0), enqueue(1)]))
    await pass_time_until(clock, lambda: True)
    assert not firing.done()

    doubt.is_over.set()
    await pass_time_until(clock, firing.done)

    assert list(firing.result()) == [False, True]
    assert not database.moves_of(Settle)
