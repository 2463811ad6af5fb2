"""Instances announce themselves, beat, and are missed."""

import pytest
from tests.conformance.conformance_backends import FACTORIES
from tests.conformance.conformance_kit import NOW, applied, enqueue, given

from outlive.ports import Instance


async def test_an_instance_that_beats_is_not_lost(backend):
    await backend.join(Instance("a", "host", 1, NOW))
    await backend.join(Instance("b", "host", 2, NOW))

    assert list(await backend.lost(NOW + 9, 10, "a")) == []
    assert await backend.beat("b", NOW + 9)
    assert list(await backend.lost(NOW + 15, 10, "a")) == []


async def test_an_instance_that_stops_beating_is_lost_to_the_others(backend):
    await backend.join(Instance("a", "host", 1, NOW))
    await backend.join(Instance("b", "host", 2, NOW))

    assert list(await backend.lost(NOW + 11, 10, "a")) == ["b"]
    assert sorted(await backend.lost(NOW + 11, 10, "c")) == ["a", "b"]


async def test_an_unknown_instance_has_to_join(backend):
    assert not await backend.beat("a", NOW)

    await backend.join(Instance("a", "host", 1, NOW))
    assert await backend.beat("a", NOW)

    await backend.leave("a")
    assert not await backend.beat("a", NOW)
    assert list(await backend.lost(NOW + 99, 10, "b")) == []


async def test_an_instance_may_join_again(backend):
    await backend.join(Instance("a", "host", 1, NOW))
    await backend.rescue("a", NOW + 1, "thought dead")
    await backend.join(Instance("a", "host", 1, NOW + 50))
    await backend.join(Instance("a", "host", 1, NOW + 60))

    assert await backend.beat("a", NOW + 60)
    assert list(await backend.lost(NOW + 61, 10, "b")) == []


async def test_to_leave_twice_or_unknown_is_harmless(backend):
    await backend.leave("never-joined")
    await backend.join(Instance("a/b: c\\d", "host", 1, NOW))
    await backend.leave("a/b: c\\d")
    await backend.leave("a/b: c\\d")


@pytest.mark.parametrize("name", FACTORIES)
async def test_a_closed_backend_opens_again_with_its_records_and_without_its_instances(name, tmp_path):
    backend = FACTORIES[name](tmp_path)
    await backend.open()
    await applied(backend, enqueue("t", owner="a"))
    await backend.join(Instance("a", "host", 1, NOW))
    await backend.close()
    await backend.close()

    await backend.open()
    assert (await given(backend, "t")).owner == "a"
    assert not await backend.beat("a", NOW)
    await backend.close()
