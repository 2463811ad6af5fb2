"""Instances announce themselves, beat, and are missed."""

import pytest
from tests.conformance.conformance_backends import FACTORIES
from tests.conformance.conformance_kit import NOW, applied, enqueue, given

from outlive.ports import Instance


async def test_an_instance_that_beats_is_not_lost(backend):
    await backend.join(Instance("a", "host", 1, NOW, 10), NOW)
    await backend.join(Instance("b", "host", 2, NOW, 10), NOW)

    assert list(await backend.lost(NOW + 9, 10, "a")) == []
    assert await backend.beat("b", NOW + 9)
    assert list(await backend.lost(NOW + 15, 10, "a")) == []


async def test_an_instance_that_stops_beating_is_lost_to_the_others(backend):
    await backend.join(Instance("a", "host", 1, NOW, 10), NOW)
    await backend.join(Instance("b", "host", 2, NOW, 10), NOW)

    assert list(await backend.lost(NOW + 11, 10, "a")) == ["b"]
    assert sorted(await backend.lost(NOW + 11, 10, "c")) == ["a", "b"]


async def test_an_unknown_instance_has_to_join(backend):
    assert not await backend.beat("a", NOW)

    await backend.join(Instance("a", "host", 1, NOW, 10), NOW)
    assert await backend.beat("a", NOW)

    await backend.rescue("a", NOW, "left")
    assert not await backend.beat("a", NOW)
    assert list(await backend.lost(NOW + 99, 10, "b")) == []


async def test_an_instance_may_join_again(backend):
    await backend.join(Instance("a", "host", 1, NOW, 10), NOW)
    await backend.rescue("a", NOW + 1, "thought dead")
    await backend.join(Instance("a", "host", 1, NOW + 50, 10), NOW + 50)
    await backend.join(Instance("a", "host", 1, NOW + 60, 10), NOW + 60)

    assert await backend.beat("a", NOW + 60)
    assert list(await backend.lost(NOW + 61, 10, "b")) == []


async def test_to_leave_twice_or_unknown_is_harmless(backend):
    await backend.rescue("never-joined", NOW, "left")
    await backend.join(Instance("a/b: c\\d", "host", 1, NOW, 10), NOW)
    await backend.rescue("a/b: c\\d", NOW, "left")
    await backend.rescue("a/b: c\\d", NOW, "left")


@pytest.mark.parametrize("name", FACTORIES)
async def test_a_closed_backend_opens_again_with_its_records_and_without_its_instances(name, tmp_path):
    backend = FACTORIES[name](tmp_path)
    await backend.open()
    await applied(backend, enqueue("t", owner="a"))
    await backend.join(Instance("a", "host", 1, NOW, 10), NOW)
    await backend.close()
    await backend.close()

    await backend.open()
    assert (await given(backend, "t")).owner == "a"
    assert not await backend.beat("a", NOW)
    await backend.close()


async def test_each_instance_is_judged_by_its_own_lease(backend):
    await backend.join(Instance("patient", "host", 1, NOW, lease=100), NOW)
    await backend.join(Instance("quick", "host", 2, NOW, lease=1), NOW)

    assert list(await backend.lost(NOW + 50, 1, "me")) == ["quick"]


async def test_an_owner_that_is_no_instance_is_lost_once_nothing_new_comes_from_it(backend):
    await applied(backend, enqueue("t1", owner="ghost"), enqueue("t2", owner="me"), enqueue("t3", owner=None))

    assert list(await backend.lost(NOW + 5, 10, "me")) == []
    assert list(await backend.lost(NOW + 11, 10, "me")) == ["ghost"]

    await backend.rescue("ghost", NOW + 11, "died")
    assert (await given(backend, "t1")).owner is None
    assert list(await backend.lost(NOW + 99, 10, "me")) == []
