"""Hints between the processes on one backend, where it carries any."""

import pytest
from support.waiting import until
from tests.conformance.conformance_backends import CLASSES, FACTORIES

from outlive.ports import CANCEL, LEASE, WORK, NotifyingBackend

NOTIFYING = [name for name, kind in CLASSES.items() if hasattr(kind, "notifier")]


@pytest.fixture(params=NOTIFYING)
async def pair(request, tmp_path):
    """Two backends as two processes have them."""
    ours, theirs = FACTORIES[request.param](tmp_path), FACTORIES[request.param](tmp_path)
    assert isinstance(ours, NotifyingBackend)
    await ours.open()
    await theirs.open()
    yield ours, theirs
    await ours.close()
    await theirs.close()


async def test_a_hint_reaches_the_others_and_only_them(pair):
    ours, theirs = pair
    here, there = [], []
    ours.notifier.listen(WORK, here.append)
    theirs.notifier.listen(WORK, there.append)

    theirs.notifier.signal(WORK)
    await until(lambda: here == [""])
    ours.notifier.signal(WORK)
    await until(lambda: there == [""])

    assert here == [""]


async def test_a_hint_says_what_it_is_about(pair):
    ours, theirs = pair
    cancelled, called = [], []
    ours.notifier.listen(CANCEL, cancelled.append)
    ours.notifier.listen(LEASE, called.append)

    theirs.notifier.signal(CANCEL, "t 1")
    theirs.notifier.signal(CANCEL, "t'2")
    theirs.notifier.signal(LEASE, "höst:1")

    await until(lambda: (cancelled, called) == (["t 1", "t'2"], ["höst:1"]))


async def test_what_is_too_long_to_say_is_said_without(pair):
    ours, theirs = pair
    heard = []
    ours.notifier.listen(CANCEL, heard.append)

    theirs.notifier.signal(CANCEL, "x" * 20_000)

    await until(lambda: heard == [None])


async def test_a_flood_of_hints_arrives(pair):
    ours, theirs = pair
    heard = []
    ours.notifier.listen(CANCEL, heard.append)

    for number in range(2000):
        theirs.notifier.signal(CANCEL, f"t{number}")
        theirs.notifier.signal(CANCEL, "again")

    await until(lambda: {f"t{number}" for number in range(2000)} <= set(heard))
    assert heard.count("again") < 10


async def test_who_has_stopped_listening_hears_nothing(pair):
    ours, theirs = pair
    first, second = [], []
    ear = ours.notifier.listen(WORK, first.append)
    ours.notifier.listen(WORK, second.append)
    ear.cancel()
    ear.cancel()

    theirs.notifier.signal(WORK)

    await until(lambda: second)
    assert first == []


async def test_what_was_signalled_before_closing_is_sent(pair):
    ours, theirs = pair
    heard = []
    ours.notifier.listen(WORK, heard.append)

    theirs.notifier.signal(WORK)
    await theirs.close()

    await until(lambda: heard)
