"""What a later process finds and runs."""

from datetime import date

from support.instances import declare
from support.recording import Gate, Trail
from support.waiting import ended, record_of, turns

from outlive import TaskStatus

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
    assert "no running instance has declared this function" in str(record.reason)

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
