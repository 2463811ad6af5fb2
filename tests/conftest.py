from collections.abc import Iterator
from pathlib import Path

import pytest
from support import postgres
from support.instances import Shared

from outlive import TaskManager
from outlive.testing import ManualClock


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _postgres_is_left_empty() -> Iterator[None]:
    yield
    postgres.take_back()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
def backend_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """One of the backends that need no server; a test that takes it is run on each."""
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL"}
    return urls[request.param]


@pytest.fixture
def manager(backend_url: str) -> TaskManager:
    """A manager by the machine's clock, not started."""
    return TaskManager(backend_url, shutdown_grace=0.2)


@pytest.fixture
def timed(backend_url: str, clock: ManualClock) -> TaskManager:
    """A manager whose time the test moves, not started."""
    return TaskManager(backend_url, clock=clock, shutdown_grace=0.2)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Shared:
    """One place for records, and instances of one application that come and go."""
    return Shared(request.param, tmp_path, clock)
