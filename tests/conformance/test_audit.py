"""What people did, and which instances there are."""

import pytest
from tests.conformance.conformance_kit import NOW

from outlive.core.audit import AuditEntry
from outlive.ports import Instance, InstanceState


def entry(name, target=None, **detail):
    return AuditEntry(name, NOW + 0.123456, "ann", "task.retry", target, detail)


@pytest.fixture
async def noted(backend):
    """Five actions whose ids say when they were; they may arrive out of order."""
    for name, target in (("1", "t"), ("3", None), ("2", "u"), ("4", "t"), ("5", None)):
        await backend.note(entry(name, target, before="failed", after={"status": "pending"}, count=2))
    return backend


async def ids(backend, *args, **kwargs):
    return "".join(one.id for one in await backend.notes(*args, **kwargs))


async def test_entries_come_back_newest_first_as_they_were(noted):
    notes = await noted.notes(10)

    assert [one.id for one in notes] == list("54321")
    assert notes[1] == entry("4", "t", before="failed", after={"status": "pending"}, count=2)


async def test_entries_of_one_target(noted):
    assert await ids(noted, 10, target="t") == "41"
    assert await ids(noted, 10, target="nobody") == ""


async def test_pages_of_entries(noted):
    assert await ids(noted, 2) == "54"
    assert await ids(noted, 2, before="4") == "32"
    assert await ids(noted, 2, before="1") == ""
    assert await ids(noted, 10, before="4", target="t") == "1"
    assert await ids(noted, 0) == ""


async def test_old_entries_are_forgotten_oldest_first_and_no_more_than_asked_for(backend):
    for number, at in enumerate((NOW - 30, NOW - 20, NOW - 10, NOW)):
        await backend.note(AuditEntry(str(number), at, "ann", "task.retry", "t", {}))

    assert await backend.forget_notes(NOW - 5, 2) == 2
    assert await ids(backend, 10) == "32"
    assert await backend.forget_notes(NOW - 5, 2) == 1
    assert await backend.forget_notes(NOW - 5, 2) == 0
    assert await ids(backend, 10, target="t") == "3"


async def test_instances_with_their_last_sign(backend):
    first = Instance("a", "host", 12, NOW, 15.0, "outlive 1", {"async": None, "thread": 40})
    second = Instance("b", "other", 13, NOW + 1, 30.0)
    await backend.join(second, NOW + 1)
    await backend.join(first, NOW)
    await backend.beat("a", NOW + 5)

    assert list(await backend.instances()) == [InstanceState(first, NOW + 5), InstanceState(second, NOW + 1)]


async def test_an_instance_that_was_forgotten_is_not_listed(backend):
    await backend.join(Instance("a", "host", 12, NOW), NOW)
    await backend.rescue("a", NOW + 1, "it died")

    assert list(await backend.instances()) == []


async def test_an_instance_is_asked_to_take_no_new_work_and_to_take_it_again(backend):
    for name in "ab":
        await backend.join(Instance(name, "host", 12, NOW), NOW)
    assert not await backend.asked_to_drain("a")

    assert await backend.drain("a", draining=True)
    assert await backend.asked_to_drain("a")
    assert not await backend.asked_to_drain("b")
    assert not await backend.drain("a", draining=True)
    assert [one.draining for one in await backend.instances()] == [True, False]

    await backend.beat("a", NOW + 1)
    await backend.join(Instance("a", "host", 12, NOW), NOW + 2)
    assert await backend.asked_to_drain("a")

    assert await backend.drain("a", draining=False)
    assert not await backend.asked_to_drain("a")
    assert not await backend.drain("a", draining=False)


async def test_an_instance_that_is_not_there_is_asked_nothing(backend):
    await backend.join(Instance("a", "host", 12, NOW), NOW)
    await backend.drain("a", draining=True)
    await backend.rescue("a", NOW, "left")

    assert not await backend.asked_to_drain("a")
    assert not await backend.drain("a", draining=False)
    assert not await backend.drain("never", draining=True)
    assert list(await backend.instances()) == []
