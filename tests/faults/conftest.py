from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from support import postgres, valkey
from tests.faults.faults_kit import Stage

_STAGE = pytest.StashKey[Stage]()
_TALLY = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLY] = Counter()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of each durable backend, empty, for several processes."""
    urls = {
        "sqlite": lambda: f"sqlite:///{tmp_path}/tasks.db",
        "postgres": lambda: postgres.url_for(tmp_path),
        "redis": lambda: f"{valkey.server_url()}?prefix={uuid4().hex}",
    }
    return urls[request.param]()


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Counter[str]:
    """Counts over the whole run, shown at its end."""
    return request.config.stash[_TALLY]


@pytest.fixture
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = request.node.stash[_STAGE] = Stage(tmp_path)
    yield stage
    stage.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the servers said beside a failure."""
    report = yield
    if report.when == "call" and report.failed and _STAGE in item.stash:
        report.sections.append(("servers", item.stash[_STAGE].logs()))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if tally := config.stash[_TALLY]:
        terminalreporter.section("after kill -9")
        terminalreporter.line(", ".join(f"{what}: {count}" for what, count in sorted(tally.items())))
