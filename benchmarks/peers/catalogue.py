"""Which systems are measured, with the versions that were tried, and where each is left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.process import environment

OUTLIVE, RAW = "outlive", "raw"
DEFAULT, TUNED, ALONE = "default", "tuned", "alone"


@dataclass(frozen=True, slots=True)
class System:
    """One system on one backend."""

    name: str
    backend: str
    packages: tuple[str, ...]
    #: How many tasks a worker is given; fewer for slow ones, so that all take about as long.
    backlog: int
    #: The same with default settings, where these are much slower.
    by_default: int | None = None
    #: The version of Python that it needs, where that is not the one that runs the benchmarks.
    python: str = ""
    settings: Sequence[str] = (DEFAULT, TUNED)

    def tasks(self, setting: str) -> int:
        """How many tasks a worker is given."""
        return self.by_default if self.by_default and setting == DEFAULT else self.backlog

    @property
    def adapter(self) -> str:
        """The module of this package."""
        return self.name.lower()

    def install(self) -> str:
        """Its Python."""
        return str(environment(self.packages, self.python))


_HUEY = ("huey==3.5.4", "redis")

SYSTEMS = (
    System(RAW, "SQLite", (), 10_000, settings=(DEFAULT,)),
    System(OUTLIVE, "SQLite", (), 8_000),
    System("huey", "SQLite", _HUEY, 2_000),
    System(RAW, "PostgreSQL", (), 10_000, settings=(DEFAULT,)),
    System(OUTLIVE, "PostgreSQL", (), 8_000, settings=(DEFAULT, TUNED, ALONE)),
    System("PgQueuer", "PostgreSQL", ("pgqueuer[asyncpg]==1.6.0",), 8_000, 2_000),
    System("procrastinate", "PostgreSQL", ("procrastinate==3.10.0",), 200, 120),
    System("Oban", "PostgreSQL", ("oban==0.7.0",), 2_000, 1_000, "3.12"),
    System("SAQ", "PostgreSQL", ("saq[postgres]==0.26.4",), 400, 200),
    System(RAW, "Redis", (), 10_000, settings=(DEFAULT,)),
    System(OUTLIVE, "Redis", (), 8_000, settings=(DEFAULT, TUNED, ALONE)),
    System("SAQ", "Redis", ("saq[redis,hiredis]==0.26.4", "typing-extensions"), 1_500),
    System("streaq", "Redis", ("streaq==7.2.0",), 1_200),
    System("taskiq", "Redis", ("taskiq==0.13.0", "taskiq-redis==1.2.4"), 2_000),
    System("docket", "Redis", ("pydocket==0.27.0",), 1_000, 100),
    System("dramatiq", "Redis", ("dramatiq[redis]==2.2.1",), 2_000),
    System("huey", "Redis", _HUEY, 2_000),
    System("Celery", "Redis", ("celery[redis]==5.7.0",), 800),
)

#: What is not in the tables of queues, and why.
LEFT_OUT = """\
taskiq-postgres 0.9.1 runs nothing of what was accepted while no worker listened, so it has no drain to measure.
APScheduler, fastapi-tasks, Starlette and grelmicro have no queue that another process drains, fastapi-taskflow runs
what it accepts in the process that has accepted it: they are in the tables of requests, schedules and locks."""
