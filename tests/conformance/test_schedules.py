"""A schedule fires each slot once, whoever asks."""

import asyncio
from dataclasses import replace

import pytest
from tests.conformance.conformance_kit import FUNC, NOW, applied, cancel, enqueue, given, start, succeed

from outlive.core.filter import EVERYTHING, Page, TaskFilter
from outlive.core.moves import OVERLAPS, Fire
from outlive.core.schedule import GAPS_KEPT, Gap, ScheduleEntry, ScheduleState
from outlive.core.states import TaskStatus
from outlive.ports import Due

HOURLY = ScheduleEntry("hourly", FUNC, "every 3600", NOW + 10)
STATE = ScheduleState("hourly", FUNC, "every 3600", NOW + 10, declared=HOURLY.declared)


def fire(task_id, slot=NOW + 10, next_at=NOW + 20, **more):
    return Fire(task_id, "hourly", slot, next_at, NOW + 10.5, more.pop("fired", slot), **more)


def run_of(task_id, **facts):
    return enqueue(task_id, schedule="hourly", source="scheduled", **facts)


async def state(backend):
    (found,) = await backend.schedules()
    return found


async def test_a_registered_schedule_is_due_when_its_time_has_come(backend):
    await backend.register([HOURLY], NOW)

    assert await backend.due(NOW + 9, 10) == Due([], NOW + 10)
    assert await backend.due(NOW + 10, 10) == Due([STATE])
    assert await backend.due(NOW + 10, 10, {"hourly"}) == Due([])
    assert list(await backend.schedules()) == [STATE]


async def test_those_with_a_name_are_found_without_the_others(backend):
    names = ["c", 'a"\N{SNOWMAN}', "b", "d:1"]
    await backend.register([ScheduleEntry(name, FUNC, "r", NOW + 9) for name in names], NOW)

    async def found(*wanted):
        return [state.name for state in await backend.schedules(wanted)]

    assert await found("b") == ["b"]
    assert await found("d:1", 'a"\N{SNOWMAN}', "unknown", "d:1") == ['a"\N{SNOWMAN}', "d:1"]
    assert (await found("unknown"), await found()) == ([], [])
    await backend.remove("b")
    assert await found("b") == []
    (alone,) = await backend.schedules(["c"])
    assert alone == next(state for state in await backend.schedules() if state.name == "c")


async def test_those_that_are_due_come_earliest_first_and_no_more_than_asked_for(backend):
    entries = [ScheduleEntry(name, FUNC, "r", NOW + at) for name, at in (("c", 3), ("a", 2.5), ("b", 1), ("d", 9.25))]
    await backend.register(entries, NOW)

    due = await backend.due(NOW + 5, 2)
    assert [found.name for found in due.schedules] == ["b", "a"]
    assert due.next_at == NOW + 9.25
    assert [found.name for found in (await backend.due(NOW + 5, 9, ["b"])).schedules] == ["a", "c"]


async def test_a_slot_becomes_one_record_and_the_schedule_goes_on(backend):
    await backend.register([HOURLY], NOW)

    assert list(await backend.apply([fire("t"), run_of("t")])) == [True, True]
    assert list(await backend.apply([fire("u"), run_of("u")])) == [False, False]

    assert await backend.get("u") is None
    assert (await given(backend, "t")).schedule == "hourly"
    found = await state(backend)
    assert (found.next_at, found.last_at, found.last_id) == (NOW + 20, NOW + 10, "t")


async def test_of_many_that_want_a_slot_one_has_it(backend):
    await backend.register([HOURLY], NOW)
    names = [f"t{number}" for number in range(12)]

    answers = await asyncio.gather(*(backend.apply([fire(name), run_of(name)]) for name in names))

    assert sorted(map(list, answers)) == [[False, False]] * 11 + [[True, True]]


async def test_a_slot_and_the_one_after_it_in_one_batch(backend):
    await backend.register([HOURLY], NOW)
    later = fire("u", NOW + 20, NOW + 30)

    assert all(await backend.apply([fire("t"), run_of("t"), later, run_of("u")]))
    assert (await state(backend)).next_at == NOW + 30


async def test_a_record_of_a_slot_that_was_not_taken_is_refused(backend):
    await backend.register([HOURLY], NOW)

    assert list(await backend.apply([run_of("t")])) == [False]
    assert list(await backend.apply([fire("t", fired=None, missed=3, reason="late"), run_of("t")])) == [True, False]
    found = await state(backend)
    assert (found.next_at, found.last_at, found.missed) == (NOW + 20, None, 3)
    assert (found.missed_at, found.missed_reason) == (NOW + 10.5, "late")


@pytest.mark.parametrize("end", [None, (start("t", owner="me"), succeed("t")), (cancel("t"),)])
async def test_an_exclusive_slot_is_missed_while_an_earlier_run_lives(backend, end):
    await backend.register([HOURLY], NOW)
    await backend.apply([fire("t"), run_of("t", owner="me")])
    await applied(backend, *(end or ()))

    answers = await backend.apply([fire("u", NOW + 20, NOW + 30, exclusive=True), run_of("u")])

    assert list(answers) == [True, end is not None]
    found = await state(backend)
    assert found.next_at == NOW + 30
    assert (found.missed, found.missed_reason) == ((1, OVERLAPS) if end is None else (0, None))


async def test_an_exclusive_slot_sees_what_came_before_it_in_its_batch(backend):
    await backend.register([HOURLY], NOW)
    await backend.apply([fire("t"), run_of("t")])

    moves = [cancel("t"), fire("u", NOW + 20, NOW + 30, exclusive=True), run_of("u")]
    assert list(await backend.apply(moves)) == [True, True, True]
    assert (await given(backend, "t")).status is TaskStatus.CANCELLED


@pytest.mark.parametrize("end", [None, (start("t", owner="me"), succeed("t"))])
async def test_a_slot_that_waits_is_not_taken_while_an_earlier_run_lives(backend, end):
    await backend.register([HOURLY], NOW)
    await backend.apply([fire("t"), run_of("t", owner="me")])
    await applied(backend, *(end or ()))

    answers = await backend.apply([fire("u", NOW + 20, NOW + 30, waits=True, missed=2, reason="late"), run_of("u")])

    assert list(answers) == [end is not None] * 2
    found = await state(backend)
    assert (found.next_at, found.missed) == ((NOW + 20, 0) if end is None else (NOW + 30, 2))


async def test_gaps_are_remembered_the_newest_first(backend):
    await backend.register([HOURLY], NOW)
    slots = [NOW + 10 + n for n in range(GAPS_KEPT + 5)]
    for number, slot in enumerate(slots):
        reason = None if number == 1 else f"reason {number}"
        await applied(backend, fire(f"t{number}", slot, slot + 1, fired=None, missed=number, reason=reason))

    gaps = await backend.gaps("hourly", GAPS_KEPT)
    assert list(gaps) == [Gap(slots[n], n, NOW + 10.5, f"reason {n}") for n in range(24, 4, -1)]
    assert list(await backend.gaps("hourly", 1)) == [gaps[0]]
    assert list(await backend.gaps("unknown", 1)) == []


async def test_an_overlapping_slot_and_those_that_came_late_are_one_gap(backend):
    await backend.register([HOURLY], NOW)
    await backend.apply([fire("t"), run_of("t", owner="me")])
    await backend.apply([fire("u", NOW + 20, NOW + 30, exclusive=True, missed=2, reason="late"), run_of("u")])

    assert list(await backend.gaps("hourly", 9)) == [Gap(NOW + 20, 3, NOW + 10.5, OVERLAPS)]


async def test_the_runs_of_a_schedule_can_be_listed(backend):
    await backend.register([HOURLY], NOW)
    await backend.apply([fire("t1"), run_of("t1"), enqueue("t2"), fire("t3", NOW + 20, NOW + 30), run_of("t3")])

    found = await backend.find(TaskFilter(schedule="hourly"), Page(5))
    assert [record.id for record in found] == ["t3", "t1"]
    assert [record.id for record in await backend.find(TaskFilter(schedule="hourly"), Page(5, "t3"))] == ["t1"]
    assert await backend.find(TaskFilter(frozenset({TaskStatus.FAILED}), schedule="hourly"), Page(5)) == []
    assert await backend.find(TaskFilter(schedule="unknown"), Page(5)) == []
    assert len(await backend.find(EVERYTHING, Page(5))) == 3


async def test_what_was_changed_at_run_time_stays_until_another_declaration_comes(backend):
    await backend.register([HOURLY], NOW)
    assert await backend.put(ScheduleEntry("hourly", FUNC, "every 60", NOW + 60, policy="strict"), new=False)
    changed = ScheduleState("hourly", FUNC, "every 60", NOW + 60, policy="strict", declared=HOURLY.declared)
    assert await state(backend) == changed

    await backend.register([replace(HOURLY, next_at=NOW + 99)], NOW + 5)
    assert await state(backend) == changed

    await backend.register([ScheduleEntry("hourly", FUNC, "every 30", NOW + 30)], NOW + 5)
    assert await state(backend) == ScheduleState("hourly", FUNC, "every 30", NOW + 30, declared="every 30 ")


async def test_a_change_that_keeps_the_rule_keeps_the_next_time_and_the_pause(backend):
    await backend.register([HOURLY], NOW)
    await backend.pause("hourly", NOW + 10, paused=True)

    assert await backend.put(replace(HOURLY, func="app:other", next_at=NOW + 99, policy="strict"), new=False)
    assert await state(backend) == replace(STATE, policy="strict", paused=True)


async def test_a_schedule_is_added_at_run_time_and_removed(backend):
    entry = ScheduleEntry("extra", FUNC, "every 60", NOW + 60, policy="strict", paused=True)
    assert not await backend.put(entry, new=False)
    assert await backend.put(entry, new=True)
    assert not await backend.put(entry, new=True)
    assert await state(backend) == ScheduleState("extra", FUNC, "every 60", NOW + 60, True, policy="strict")

    assert await backend.pause("extra", NOW + 60, paused=False)
    await applied(backend, Fire("t", "extra", NOW + 60, NOW + 120, NOW + 60, missed=1, reason="late"))
    assert await backend.remove("extra")
    assert not await backend.remove("extra")
    assert (list(await backend.schedules()), list(await backend.gaps("extra", 9))) == ([], [])
    assert (await backend.due(NOW + 999, 9)) == Due([])
    assert list(await backend.apply([Fire("u", "extra", NOW + 120, NOW + 180, NOW + 120)])) == [False]

    assert await backend.put(entry, new=True)
    assert list(await backend.gaps("extra", 9)) == []


async def test_a_schedule_that_was_added_is_taken_over_by_a_declaration(backend):
    await backend.put(ScheduleEntry("hourly", FUNC, "every 60", NOW + 60), new=True)
    await backend.register([HOURLY], NOW)
    assert await state(backend) == STATE


async def test_a_declared_pause_is_that_of_the_beginning(backend):
    await backend.register([replace(HOURLY, paused=True)], NOW)
    assert (await state(backend)).paused

    await backend.pause("hourly", NOW + 10, paused=False)
    await backend.register([replace(HOURLY, paused=True)], NOW)
    assert not (await state(backend)).paused


async def test_registering_again_keeps_the_time_unless_the_rule_is_another(backend):
    await backend.register([HOURLY], NOW)
    await backend.register([ScheduleEntry("hourly", "app:renamed", "every 3600", NOW + 99)], NOW + 5)
    assert await state(backend) == replace(STATE, func="app:renamed")

    await backend.register([replace(HOURLY, policy="strict", next_at=NOW + 99)], NOW + 5)
    assert await state(backend) == replace(STATE, policy="strict", declared="every 3600 strict")

    await backend.register([ScheduleEntry("hourly", FUNC, "every 60", NOW + 99)], NOW + 5)
    assert await state(backend) == ScheduleState("hourly", FUNC, "every 60", NOW + 99, declared="every 60 ")


async def test_one_that_fires_at_startup_does_so_once_within_its_window(backend):
    entry = ScheduleEntry("hourly", FUNC, "every 3600", NOW + 3600, startup_window=60)
    await backend.register([entry], NOW)
    assert (await state(backend)).next_at == NOW
    await backend.apply([fire("t", NOW, NOW + 3600), run_of("t")])

    await backend.register([entry], NOW + 59)
    assert (await state(backend)).next_at == NOW + 3600

    await backend.register([entry], NOW + 60)
    assert (await state(backend)).next_at == NOW + 60


async def test_a_paused_schedule_is_not_due_and_cannot_be_fired(backend):
    await backend.register([HOURLY], NOW)

    assert await backend.pause("hourly", NOW + 10, paused=True)
    assert not await backend.pause("hourly", NOW + 10, paused=True)
    assert not await backend.pause("unknown", NOW + 10, paused=True)
    assert await backend.due(NOW + 99, 10) == Due([])
    assert list(await backend.apply([fire("t"), run_of("t")])) == [False, False]
    await backend.register([HOURLY], NOW + 5)
    assert (await state(backend)).paused

    assert await backend.pause("hourly", NOW + 40, paused=False)
    assert (await backend.due(NOW + 20, 10)).next_at == NOW + 40


async def test_a_schedule_that_has_no_next_time_is_never_due(backend):
    await backend.register([HOURLY], NOW)
    await backend.apply([fire("t", next_at=None), run_of("t")])

    assert await backend.due(NOW + 1e9, 10) == Due([])
    assert (await state(backend)).next_at is None


async def test_moments_are_kept_to_the_last_bit(backend):
    moment = NOW + 1 / 3
    await backend.register([ScheduleEntry("hourly", FUNC, "r", moment)], NOW)

    assert (await state(backend)).next_at == moment
    assert list(await backend.apply([fire("t", moment, moment + 0.1), run_of("t")])) == [True, True]
    assert (await state(backend)).next_at == moment + 0.1
    assert (await backend.due(NOW, 1)).next_at == moment + 0.1
