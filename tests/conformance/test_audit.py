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


async def test_instances_with_their_last_sign(backend):
    first, second = Instance("a", "host", 12, NOW, 15.0), Instance("b", "other", 13, NOW + 1, 30.0)
    await backend.join(second, NOW + 1)
    await backend.join(first, NOW)
    await backend.beat("a", NOW + 5)

    assert list(await backend.instances()) == [InstanceState(first, NOW + 5), InstanceState(second, NOW + 1)]


async def test_an_instance_that_was_forgotten_is_not_listed(backend):
    await backend.join(Instance("a", "host", 12, NOW), NOW)
    await backend.rescue("a", NOW + 1, "it died")

    assert list(await backend.instances()) == []
