"""The bars that the project has set itself, and what of a run belongs to each."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.measure import Row, Section, Table


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of the table: what is measured, the best peer before, what is asked, and where it is found.

    `found` pairs the beginning of a section's title with a pattern for the names of its rows; `why` are the headings of
    `why.md` that tell what bounds it.
    """

    measure: str
    peer: str
    asked: str
    found: Sequence[tuple[str, str]]
    why: Sequence[str] = ()


_REQUEST, _RATE = "Time that one task adds", "Requests per second"
_QUEUES = "Queues beside"

BARS = (
    Bar(
        "request: `Tasks` injected and unused",
        "fastapi-tasks +100 to 121 µs",
        "at most +10 µs where a plain endpoint takes 100",
        [(_REQUEST, "^unused")],
        ("Tasks injected and unused",),
    ),
    Bar(
        "request: one async task, memory",
        "Starlette +8 to 13 µs; fastapi-tasks +172; fastapi-taskflow +600",
        "at most +35 µs where a plain endpoint takes 100; 0.87 x the requests per second of no task",
        [(_REQUEST, "^one async task, memory"), (_RATE, "memory")],
        ("A task in memory", "Requests per second"),
    ),
    Bar(
        "request: one durable task on SQLite, committed before the response",
        "fastapi-taskflow +1,100 to 1,300 µs and not durable",
        "at most +150 µs with NORMAL, plus one fsync with FULL; under 16 clients 0.6 x no task, 3 x fastapi-taskflow",
        [(_REQUEST, "^one durable"), (_RATE, "SQLite"), ("Requests beside", "^requests per second, SQLite")],
        ("A durable task", "Requests per second"),
    ),
    Bar(
        "request: a plain function",
        "Starlette +520 µs",
        "at most 1.5 x a thread hop by hand",
        [(_REQUEST, "^plain function")],
        ("A plain function",),
    ),
    Bar(
        "enqueue to done, in process, memory",
        "fastapi-taskflow 8,300/s",
        "at least 5 x",
        [("Requests beside", "^in process, memory")],
        ("Tasks in one process, in memory", "A task in memory"),
    ),
    Bar(
        "enqueue to done, in process, SQLite",
        "fastapi-taskflow 1,200/s; huey 1,660/s",
        "at least 8 x and 5 x; at least 0.3 x raw batches",
        [("Enqueue to done", "SQLite"), ("Requests beside", "^in process, SQLite"), (_QUEUES, "^SQLite: drain")],
        ("The bare table of SQLite",),
    ),
    Bar(
        "SQLite: 100 waiters, bulk",
        "none",
        "0.5 x and 0.4 x a raw group commit",
        [("SQLite: accepting", "")],
        ("The bare table of SQLite",),
    ),
    Bar(
        "PostgreSQL: accept one, bulk; drain by one worker",
        "PgQueuer 800 / 25,200; 6,600 to 9,500/s tuned",
        "0.8 x raw; 1.3 x PgQueuer and half of unnest; 1.7 x PgQueuer tuned, within 1.6 x of raw, at most 0.06 s of a "
        "worker's processor per 1,000; in process 10,000/s",
        [("PostgreSQL", ""), (_QUEUES, "^PostgreSQL: (accept|drain|processor)")],
        ("Tasks accepted one by one", "Many tasks on PostgreSQL"),
    ),
    Bar(
        "Redis: accept one, bulk; drain by one worker",
        "huey 3,300 / streaq 7,800; taskiq, dramatiq 1,600/s",
        "0.6 x a raw XADD; 4 x streaq; 8 x the best, at most 0.05 s of a worker's processor per 1,000",
        [("Redis", ""), (_QUEUES, "^Redis: (accept|drain|processor)")],
        ("Tasks accepted one by one", "Many tasks on Redis"),
    ),
    Bar(
        "SQLite: three processes at once",
        "none",
        "longest write 50 ms, smallest share 0.9",
        [("SQLite: three processes", "")],
        ("Three processes on one file",),
    ),
    Bar(
        "enqueue to start, idle, p50 and p99",
        "Redis 1.4 ms, PostgreSQL 3.5 to 5.4 ms, SQLite 56 ms",
        "in one process 1 x on Redis, 0.6 x on PostgreSQL, 1 ms on SQLite, p99 below 10 ms; between processes 1.5 x, "
        "1.1 x, p99 below 15 ms",
        [("Enqueue to start", ""), (_QUEUES, "enqueue to start")],
        ("From enqueue to start",),
    ),
    Bar(
        "locks: a pair; p99 wait of 8",
        "raw 770/s; polling 240 to 340 ms, advisory 26 ms",
        "1.15 x raw; 2.5 x an advisory lock on PostgreSQL, 30 ms on Redis",
        [("Lock", "")],
        ("A lock on SQLite", "A lock on a server"),
    ),
    Bar(
        "100,000 schedules: nothing due; 1,000 due at once",
        "heap 140 to 220 µs a tick; APScheduler 33 µs a fire",
        "no measurable processor time; at most 20 µs a fire in memory, 100 µs durable",
        [("100,000 schedules", "")],
        ("Many schedules due at once",),
    ),
    Bar(
        "lists, filters, counts at 1,000,000 records",
        "fastapi-taskflow 5 s at 100,000",
        "below 5 ms in the backend, first byte within 100 ms, memory that does not grow",
        [("Lists", "")],
        ("Lists that find nothing",),
    ),
    Bar(
        "memory for finished records",
        "fastapi-taskflow keeps all",
        "none",
        [("Memory", ""), ("How cost grows", "^memory")],
    ),
    Bar(
        "`kill -9`",
        "streaq, PgQueuer lose none, back in 62 s, 31 s",
        "none lost; back within 15 s by default, at once where the restarted process is the only one",
        [("Killed", "")],
        ("After a kill",),
    ),
    Bar(
        "an open dashboard",
        "none",
        "each bar is met with it, too",
        [("An open dashboard", ""), ("With a dashboard open", "")],
        ("An open dashboard",),
    ),
)


def overview(sections: Sequence[Section]) -> Table:
    """Every bar with what this run says of it."""
    header = ("measure", "best peer before", "bar", "in this run")
    return Table("", header, [(bar.measure, bar.peer, bar.asked, verdict(bar, sections)) for bar in BARS])


def anchor(heading: str) -> str:
    """Of a heading on the page."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def verdict(bar: Bar, sections: Sequence[Section]) -> str:
    """Whether all rows that belong to it meet theirs, and which do not, and where it stands why."""
    rows = list(_rows(bar, sections))
    if not rows:
        return "not measured"
    missed = [row for row in rows if not row.verdict.startswith("met")]
    if not missed:
        return f"met ({len(rows)} of {len(rows)})"
    told = "; ".join(f"{row.what}: {row.verdict.replace('**', '')}" for row in missed)
    reasons = ", ".join(f"[{heading}](#{anchor(heading)})" for heading in bar.why)
    return f"**missed** in {len(missed)} of {len(rows)}: {told}" + (f". Why: {reasons}" if reasons else "")


def _rows(bar: Bar, sections: Sequence[Section]) -> Iterator[Row]:
    for section in sections:
        for title, pattern in bar.found:
            if section.title.startswith(title):
                yield from (row for row in section.rows if row.verdict and re.search(pattern, row.what))
