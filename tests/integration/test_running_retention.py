"""How long ended records are kept, by status and by function."""

from typing import Any

import pytest
from support.waiting import ended, turns, until

from outlive import ConfigError, DefinitionError, MemoryBackend, TaskManager
from outlive.core.audit import AuditEntry
from outlive.core.moves import Cancel, Enqueue, Settle
from outlive.core.states import Event, TaskStatus
from outlive.ports import Backend
from outlive.runtime.pruner import LEASE

DAY = 86_400.0
ENDS = {"success": Event.SUCCEED, "failed": Event.FAIL, "cancelled": Event.CANCEL, "interrupted": Event.INTERRUPT}


async def fill(backend: Backend, now: float, funcs: tuple[str, ...] = ("send",)) -> None:
    """A record of each function and status that ended 1, 5 and 50 days ago."""
    for func in funcs:
        for days in (1, 5, 50):
            at = now - days * DAY
            for status, event in ENDS.items():
                task_id = f"{func} {status} {days}"
                begun = Enqueue(task_id, func, func, at, at, "dead", at)
                await backend.apply([begun, Settle(task_id, 1, event, TaskStatus(status), at)])
            refused = Enqueue(f"{func} rejected {days}", func, func, at, at, rejected="full")
            await backend.apply([refused, Enqueue(f"{func} waits {days}", func, func, at, at + 1e9)])


async def left(manager: TaskManager, count: int) -> set[str]:
    async def so_many() -> bool:
        return len(await manager.find()) == count

    await until(so_many)
    return {record.id for record in await manager.find()}


async def run(shared: Any, count: int, declare: dict[str, float | None], **options: Any) -> set[str]:
    manager = shared.instance(**options)

    async def body() -> None:
        pass

    for name, days in declare.items():
        manager.task(name=name, **({} if days is None else {"retention_days": days}))(_copy(body))
    await manager.backend.open()
    await fill(manager.backend, shared.clock.now(), tuple(declare))
    async with manager:
        return await left(manager, count)


def _copy(body: Any) -> Any:
    async def copy() -> None:
        await body()

    return copy


def waiting(func: str) -> set[str]:
    return {f"{func} {status} {days}" for status in ("waits", "interrupted") for days in (1, 5, 50)}


async def test_one_limit_for_all_leaves_what_waits_and_what_was_interrupted(shared):
    kept = await run(shared, 6 + 4, {"send": None}, retention_days=3)

    assert kept == waiting("send") | {f"send {one} 1" for one in ("success", "failed", "cancelled", "rejected")}


async def test_a_status_has_its_own_limit(shared):
    options = {"retention_days": 30, "retention": {"failed": 90, "success": 3}}
    kept = await run(shared, 6 + 3 + 1 + 2 + 2, {"send": None}, **options)

    assert {one for one in kept if "failed" in one} == {"send failed 1", "send failed 5", "send failed 50"}
    assert {one for one in kept if "success" in one} == {"send success 1"}
    assert {one for one in kept if "cancelled" in one} == {"send cancelled 1", "send cancelled 5"}


async def test_a_status_may_be_the_only_one_that_is_deleted(shared):
    kept = await run(shared, 18 - 2, {"send": None}, retention={"success": 3})

    assert {one for one in kept if "success" in one} == {"send success 1"}


async def test_a_function_keeps_its_own(shared):
    kept = await run(
        shared,
        6 * 3 + 4 + 8 + 12,
        {"short": 3, "long": 1000, "send": None},
        retention={"failed": 30},
        retention_days=10,
    )

    assert {one for one in kept if one.startswith("short")} - waiting("short") == {
        f"short {one} 1" for one in ("success", "failed", "cancelled", "rejected")
    }
    assert len({one for one in kept if one.startswith("long")}) == 18
    assert "send failed 5" in kept
    assert "send failed 50" not in kept


async def test_without_any_limit_nothing_is_deleted(shared):
    assert len(await run(shared, 18, {"send": None})) == 18


async def test_while_another_instance_deletes_this_one_does_not(shared):
    first, second = shared.instance(audit_days=None), shared.instance(retention_days=3)
    async with first:
        await first.backend.leases.take(LEASE, "somebody", 60, shared.clock.now())
        await fill(first.backend, shared.clock.now())
        async with second:
            task = await second.enqueue(_copy(ended))
            await ended(second, task.id)
            assert len(await first.find()) == 18 + 1
        await first.backend.leases.drop(LEASE, "somebody", shared.clock.now())


async def test_the_next_look_deletes_what_has_become_old(shared):
    manager = shared.instance(retention_days=3)
    await manager.backend.open()
    at = shared.clock.now()
    await manager.backend.apply([Enqueue("young", "send", "send", at, at), Cancel("young", at, "a test")])
    async with manager:
        assert len(await manager.find()) == 1
        shared.clock.advance(3 * DAY)

        async def is_gone() -> bool:
            shared.clock.advance(3600)  # however long the first look takes
            return not await manager.find()

        await until(is_gone)


@pytest.mark.parametrize(
    "retention", [{"interrupted": 3}, {"running": 3}, {"done": 1}, {"failed": 0}, {"failed": -1}], ids=str
)
def test_what_makes_no_sense_is_refused(retention):
    with pytest.raises(ConfigError, match="retention"):
        TaskManager(retention=retention)


@pytest.mark.parametrize("days", [0, -1, "3"])
def test_a_function_cannot_keep_nothing(days):
    with pytest.raises(ConfigError, match="retention_days"):
        TaskManager().task(retention_days=days)


async def test_it_is_no_option_of_a_call(manager):
    async with manager:
        with pytest.raises(ConfigError, match="definition"):
            await manager.using(retention_days=3).enqueue(_copy(ended))


def test_nor_of_a_schedule_of_a_declared_task():
    manager = TaskManager()

    @manager.task()
    async def body() -> None:
        pass

    with pytest.raises(DefinitionError, match="retention_days"):
        manager.schedule(every=60, retention_days=3)(body)


async def test_what_people_did_is_kept_for_a_year_or_as_long_as_somebody_says(clock, tmp_path):
    for options, kept in (({}, 2), ({"audit_days": 7}, 1), ({"audit_days": None}, 3)):
        backend = MemoryBackend()
        for number, days in enumerate((400, 30, 1)):
            at = clock.now() - days * DAY
            await backend.note(AuditEntry(str(number), at, "ann", "task.retry", None, {}))
        async with TaskManager(backend, clock=clock, **options):

            async def are_forgotten(backend: Backend = backend, kept: int = kept) -> bool:
                return len(await backend.notes(10)) == kept

            await until(are_forgotten)
            await turns()
            assert await are_forgotten()
