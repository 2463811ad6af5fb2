"""The clock of the machine and the one that a test moves."""

import asyncio
import threading
import time

import pytest
from support.waiting import turns, until

from outlive.runtime import clock as clocks
from outlive.runtime.clock import SystemClock, pause
from outlive.testing import ManualClock


async def test_the_system_clock_calls_when_its_time_has_come():
    clock, called = SystemClock(), []
    due = clock.now() + 0.02
    clock.call_at(due, lambda: called.append(time.time()))
    await until(lambda: called)
    assert called[0] >= due


async def test_a_moment_in_the_past_is_called_soon():
    clock, called = SystemClock(), asyncio.Event()
    clock.call_at(clock.now() - 3600, called.set)
    await asyncio.wait_for(called.wait(), 5)


async def test_an_alarm_that_is_called_off_does_not_ring():
    clock, called = SystemClock(), []
    clock.call_at(clock.now(), lambda: called.append("off")).cancel()
    clock.call_at(clock.now() + 0.01, lambda: called.append("on"))
    await until(lambda: called)
    assert called == ["on"]


async def test_a_long_wait_looks_at_the_wall_clock_again(monkeypatch):
    """A machine that slept wakes its alarms late by a stretch at most, not by the whole wait."""
    monkeypatch.setattr(clocks, "_STRETCH", 0.01)
    started, jump = time.time(), 0.0
    monkeypatch.setattr(time, "time", lambda: started + jump)
    called = asyncio.Event()
    SystemClock().call_at(started + 3600, called.set)
    await turns()
    assert not called.is_set()
    jump = 3600.0
    await asyncio.wait_for(called.wait(), 5)


async def test_a_pause_ends_when_its_clock_says_so(clock):
    sleeping = asyncio.create_task(pause(clock, 10))
    await turns()
    clock.advance(9)
    await turns()
    assert not sleeping.done()
    clock.advance(1)
    await asyncio.wait_for(sleeping, 5)


async def test_a_manual_clock_stands_still_and_calls_what_has_become_due_in_order(clock):
    called = []
    for seconds in (30, 10, 20, 40):
        clock.call_at(clock.now() + seconds, lambda seconds=seconds: called.append(seconds))
    await turns()
    assert called == []
    clock.advance(30)
    await turns()
    assert called == [10, 20, 30]


async def test_a_manual_clock_forgets_what_was_called_off(clock):
    called = []
    alarm = clock.call_at(clock.now() + 1, lambda: called.append(1))
    clock.advance(1)
    alarm.cancel()
    await turns()
    assert called == [], "also where it is called off after its time and before it rang"


async def test_a_manual_clock_may_be_moved_from_another_thread(clock):
    called = asyncio.Event()
    clock.call_at(clock.now() + 1, called.set)
    thread = threading.Thread(target=clock.advance, args=(1,))
    thread.start()
    await asyncio.wait_for(called.wait(), 5)
    thread.join()


def test_time_does_not_run_backwards():
    with pytest.raises(ValueError, match="backwards"):
        ManualClock().advance(-1)


def test_an_alarm_of_an_event_loop_that_has_ended_is_skipped():
    clock = ManualClock()

    async def loop():
        clock.call_at(clock.now() + 1, lambda: None)

    asyncio.run(loop())
    clock.advance(2)
    assert clock.now() == 1_700_000_002.0
