"""What a later process finds and runs."""

from datetime import date

from support.instances import declare
from support.recording import Gate, Trail
from support.waiting import ended, record_of, turns, until

from outlive import TaskStatus
from outlive.core.events import CannotRun

LEASE = 15.0


async def test_a_record_of_a_function_that_is_unknown_here_waits_and_says_so(shared):
    old, trail, gate = shared.instance(), Trail(), Gate()
    gate.open.set()
    work = declare(old, trail, gate)
    async with old:
        task = await old.using(run_in=30).enqueue(work, "word")

    without = shared.instance()
    async with without:
        shared.clock.advance(60)
        await turns(100)
        record = await record_of(without, task.id)
    assert record.status is TaskStatus.PENDING
    assert "not declared" in str(record.reason)

    again = shared.instance()
    declare(again, trail, gate)
    async with again:
        assert (await ended(again, task.id)).status is TaskStatus.SUCCESS
    assert trail == ["word"]


async def test_a_recovered_task_gets_its_arguments_as_their_annotations_say(shared):
    got = []

    def declare_book(manager):
        @manager.task(name="book")
        async def book(day: date, seats: tuple[int, ...], *, notes: dict[str, int] | None = None) -> None:
            got.append((day, seats, notes))

        return book

    first = shared.instance()
    book = declare_book(first)
    async with first:
        task = await first.using(run_in=5).enqueue(book, date(2026, 1, 2), (1, 2), notes={"a": 1})
    second = shared.instance()
    declare_book(second)
    shared.clock.advance(5)
    async with second:
        await ended(second, task.id)

    assert got == [(date(2026, 1, 2), (1, 2), {"a": 1})]


async def test_options_given_with_the_call_survive_a_restart(shared):
    attempts = []

    def declare_fails(manager):
        @manager.task(name="fails")
        async def fails() -> None:
            attempts.append(1)
            raise OSError

        return fails

    first = shared.instance()
    fails = declare_fails(first)
    async with first:
        task = await first.using(run_in=5, retries=2).enqueue(fails)
    second = shared.instance()
    declare_fails(second)
    shared.clock.advance(5)
    async with second:
        record = await ended(second, task.id)

    assert (record.status, record.attempts, len(attempts)) == (TaskStatus.FAILED, 3, 3)


async def test_a_record_whose_arguments_no_longer_fit_stays_pending_and_says_so(shared):
    before = shared.instance()

    @before.task(name="send")
    async def send(address: str) -> None: ...

    async with before:
        task = await before.using(run_in=5).enqueue(send, "not a number")

    after, sent = shared.instance(), []

    @after.task(name="send")
    async def send_by_number(number: int) -> None:
        sent.append(number)

    shared.clock.advance(5)
    async with after:
        await until(lambda: shared.happened(CannotRun))
        record = await until(lambda: _free(after, task.id))
        await turns(50)

    assert record.status is TaskStatus.PENDING
    assert "cannot be run as the code is now" in str(record.reason)
    assert sent == []
    assert len(shared.happened(CannotRun)) == 1, "said once, not at every look"


async def test_old_finished_records_are_forgotten_and_interrupted_ones_are_kept(shared):
    day, gate = 86_400, Gate()
    manager = shared.instance(retention_days=30)
    work = declare(manager, Trail(), gate)
    async with manager:
        interrupted = await manager.enqueue(work, "interrupted")
        await gate.entered.wait()

    gate.open.set()
    manager = shared.instance(retention_days=30)
    work = declare(manager, Trail(), gate)
    async with manager:
        old = await manager.enqueue(work, "old")
        await ended(manager, old.id)
        shared.clock.advance(20 * day)
        young = await manager.enqueue(work, "young")
        await ended(manager, young.id)
        shared.clock.advance(11 * day)

        async def is_gone():
            shared.clock.advance(600)  # it is looked for every hour
            return await manager.get(old.id) is None

        await until(is_gone)
        assert (await record_of(manager, young.id)).status is TaskStatus.SUCCESS
        assert (await record_of(manager, interrupted.id)).status is TaskStatus.INTERRUPTED


async def _free(manager, task_id):
    record = await record_of(manager, task_id)
    return record if record.owner is None and record.reason else None
