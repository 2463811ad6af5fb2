"""How the server goes about it: plans are made on empty tables and kept, so they must be right for full ones."""

from uuid import uuid4

import psycopg
import pytest
from support import postgres
from tests.conformance.conformance_kit import FUNC, NOW, enqueue

from outlive import Page, TaskFilter, TaskStatus
from outlive.backends.urls import backend_from
from outlive.ports import Wanted

COUNT = 400


@pytest.fixture
def schema():
    """One that nobody has used, so that nobody else's statistics come late."""
    name = f"outlive_test_{uuid4().hex[:16]}"
    yield name
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f'drop schema "{name}" cascade')


@pytest.fixture
async def backend(schema):
    backend = backend_from(f"{postgres.url()}{'&' if '?' in postgres.url() else '?'}schema={schema}")
    await backend.open()
    yield backend
    await backend.close()


def read_by(schema):
    """How many entries of each index were read so far, by the sessions that have ended."""
    with psycopg.connect(postgres.url()) as connection:
        return dict(
            connection.execute(
                "select indexrelname, idx_tup_read from pg_stat_user_indexes where schemaname = %s", [schema]
            ).fetchall()
        )


async def claimed(backend, limit):
    return (await backend.claim(Wanted("me", [FUNC], limit, NOW + 1, [], None, []))).records


async def test_a_claim_reads_what_it_claims_and_not_all_that_waits(backend, schema):
    assert not await claimed(backend, 10)  # the plan is made
    await backend.apply([enqueue(f"t{number:04}") for number in range(COUNT)])

    assert len(await claimed(backend, 10)) == 10
    await backend.close()

    read = read_by(schema)
    assert read["outlive_record_free"] < COUNT / 4
    assert read["outlive_record_waiting"] == 0


async def test_lists_and_counts_of_what_waits_have_an_index_of_their_own(backend, schema):
    await backend.apply([enqueue(f"t{number:04}") for number in range(COUNT)])

    assert len(await backend.find(TaskFilter(statuses=frozenset({TaskStatus.PENDING})), Page(10))) == 10
    assert await backend.counts() == {TaskStatus.PENDING: COUNT}
    await backend.close()

    assert COUNT <= read_by(schema)["outlive_record_waiting"] < 2 * COUNT


async def test_a_list_of_a_queue_reads_what_is_in_it(backend, schema):
    assert not await backend.find(TaskFilter(queue="mail"), Page(10))  # the plan is made
    await backend.apply([enqueue(f"t{number:04}") for number in range(COUNT)])
    await backend.apply([enqueue(f"u{number}", queue="mail") for number in range(3)])

    assert len(await backend.find(TaskFilter(queue="mail"), Page(10))) == 3
    assert not await backend.find(TaskFilter(queue="nobody's"), Page(10))
    await backend.close()

    read = read_by(schema)
    assert read["outlive_record_queue"] == 3
    assert read["outlive_record_pkey"] < COUNT
