"""Every backend's leases beside those of memory: the same questions, the same answers."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.conformance_backends import FACTORIES
from tests.conformance.conformance_kit import NOW

from outlive.backends.memory import MemoryBackend

KEYS = st.sampled_from("kl")
HOLDERS = st.sampled_from("abcd")
SECONDS = st.sampled_from([0.125, 0.5, 2.0, 10.0])

#: What is asked, after how many seconds.
QUESTIONS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0625, 0.375, 1.0, 3.0]),
        st.one_of(
            st.tuples(st.just("take"), KEYS, HOLDERS, SECONDS, st.sampled_from([0.0, 0.5, 5.0])),
            st.tuples(st.just("renew"), KEYS, HOLDERS, SECONDS),
            st.tuples(st.just("drop"), KEYS, HOLDERS),
            st.tuples(st.just("force"), KEYS),
        ),
    ),
    max_size=40,
)


async def ask(leases, question, now):
    verb, key, *rest = question
    if verb == "force":
        return await leases.force(key, "asked", now)
    holder, *spans = rest
    holder = f"{key}{holder}"  # a holder is named for one key
    if verb == "take":
        return await leases.take(key, holder, spans[0], now, spans[1])
    if verb == "renew":
        return await leases.renew(key, holder, spans[0], now)
    return await leases.drop(key, holder, now)


def plain(leases):
    return [(one.key, one.holder, one.fence, one.taken_at, one.expires_at, tuple(one.waiting)) for one in leases]


@pytest.mark.parametrize("name", [name for name in FACTORIES if name != "memory"])
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(questions=QUESTIONS)
def test_the_same_answers_as_memory(name, questions):
    async def compare():
        reference = MemoryBackend()
        with tempfile.TemporaryDirectory() as folder:
            backend = FACTORIES[name](Path(folder))
            await backend.open()
            try:
                now = NOW
                for seconds, question in questions:
                    now += seconds
                    expected = await ask(reference.leases, question, now)
                    assert await ask(backend.leases, question, now) == expected, question
                    assert plain(await backend.leases.held(now)) == plain(await reference.leases.held(now)), question
                assert list(await backend.leases.history()) == list(await reference.leases.history())
            finally:
                await backend.close()

    asyncio.run(compare())
