"""Writes a run down as `docs/benchmarks.md`."""

from collections.abc import Iterator, Sequence
from itertools import chain

from benchmarks.bars import overview
from benchmarks.measure import Row, Section, Table

INTRO = """\
# Benchmarks

What outlive costs, measured by `make bench`, which writes this page. Every figure below that is not marked as
cited comes from one run on one machine; nothing was left out or picked.

How far to trust it:

- **Ratios, not absolute figures.** What is compared was measured in the same run, its samples interleaved and
  in an order drawn anew each round, because the speed of a machine drifts by tens of per cent within minutes.
  Two tables, or two runs, compare only roughly.
- Cells are `median [least..greatest]` over the rounds unless the text above a table says otherwise.
- The machine was not set aside for the run; the load at its beginning is given. Noise only ever makes a
  figure worse.
- The tasks do nothing. A real one dwarfs every figure here; these are the costs that come on top.
- A bar is what the project has set itself. A missed one is shown as such; nothing fails because of it.
- "Cited" figures of other systems are from an earlier, separate measurement on a comparable machine: an order
  of magnitude.
- Where "Files on" says tmpfs an fsync costs nothing; `make bench ARGS="--folder /path"` measures another disk.

`make bench ARGS="--only queues"` takes one measure and writes nothing, `--full` takes three times the rounds,
`--dashboard` has a dashboard open during the measures that run tasks. What the figures mean for a system that grows is
on the page about [scaling](scaling.md).
"""

WHY = """\
## Where bars are missed, and why

The figures in this section come from separate traces and earlier runs, not from the run above.

- **A task in memory.** There is no single costly place: by opcode trace a plain endpoint takes 4,640 opcodes and 219
  Python calls, and a task from `schedule` to its settled record 2,290 and 101 more (2,560 and 129 before the last round
  of cuts, in which it went from 106 % of a plain endpoint to 83). They are the steps of the one path. The least that
  can be done by hand takes 7.6 µs where outlive takes 33.6, and 4.7 of them are the asyncio task, whose place nothing
  can take: it keeps a body's context, its cancellation and its timeout apart. By hand means an id, the argument as
  text, a record in a dictionary and its three states; no queue, limit, fence, retry, handle or journal. Even that
  and `Tasks` unused are together 34 % of a plain endpoint. Tried: no `__slots__`, other limits on kept records
  (nothing); a way around the journal (0.3 µs).
- **`Tasks` unused** is a layer around the application (6 µs) and one object (4). It left three cycles for the garbage
  collector; without them a request with a task spends 0.7 µs in it where it spent 8 to 36. What is left is the layer
  itself: a coroutine, two bound methods, and the manager that a lock inside the endpoint finds.
- **`after_route`** waits for two turns of the event loop, inside a shield (7 µs) that a client which hangs up cannot
  break.
- **A plain function** takes the hop to a thread and back (17 µs one after another, by hand 26) and what a task in
  memory takes beside it. Where a hop in a request takes 57 µs that alone is three quarters of one, where it takes 106,
  less than half.
- **Requests per second** follow from that: the start and the settle of each task cost the same processor. On SQLite
  a task takes 105 µs of the server's processor beyond that, its share of three commits with the few writes that 16
  clients have under way.
- **A durable task** pays two hops between the event loop and the thread that writes (55 to 85 µs in the same runs) and
  one transaction of several indexes. Of 187 µs for a lone `enqueue` (NORMAL) 27 are the call, 31 the way to the
  thread, 90 the transaction there and 40 the way back; repeated without a pause the same transaction takes 36 and a
  row by hand 15, so that most of it is a processor that comes from somewhere else. A row by hand in the same place
  takes 111.
  The journal without a task of its own took 40 µs off one enqueue.
- **A lock on SQLite** next to rows by hand: who serves requests cannot do those in the event loop's thread (41 µs); in
  another they take 86 µs of the processor beside 125, for waiters, the turn of writers, the renewal and its timers.
- **A lock on Redis** is two scripts of 14 µs each beside a `SET` of 1 and a script of 3, which have no token and no
  queue, and each is asked in a task of its own, so that what follows a cancelled one comes after it.
- **One task on Redis** beside one `XADD`: the script with its one move takes 35 to 49 µs of the server where the entry
  of a stream takes 1, and over a bare connection 90 µs in all beside 67; the rest of some 220 is the way through the
  journal, in which all that is written at the time shares one script: in bulk it is 28,000 to 40,000 a second.
- **After `kill -9`** who starts on the same machine sees at once that the lock of the dead process is free, and who
  runs there looks every 5 s. On other machines it counts as dead when its lease (15 s) has run out. A shorter
  `lease=` makes it sooner, and makes it likelier that a process which only hangs is taken for dead.
- **A list of a queue that nobody uses** reads all records: there is no index on the queue, since every accepted task
  would pay for it. The same filter on a queue that is used ends when its page is full.
- **Many schedules due at once**: each is a slot taken in the backend and a record of its own, written in a
  transaction with it, where a scheduler in memory calls a function.
- **Tasks that are accepted one by one on PostgreSQL or Redis** wait for the server, as by hand; what comes on top is
  the processor time of the journal. Many at once share it.
- **Against the bare table**: outlive's own has a check of states, partial indexes and counting triggers, for lists,
  claims, rescues and counts that stay fast at a million records. On the same schema it reaches 0.57 to 0.76 of
  plain `sqlite3`. They are not what is dear: in batches of 100 a task's three rows take 20.0 µs with them and 16.2
  without any. Of the 5.1 µs of an accepted row 2.8 are its bound values. A task costs 37 to 41 µs of processor time
  in both threads, which take turns rather than work side by side, since each step of SQLite needs the interpreter back:
  27,000 tasks/s at the very most. Tried: batches that begin while bodies run (the writer waits for the interpreter, and
  commits twice as often); no copying of the log at all (10 to 20 % more, and a log that grows).
"""


def page(about: Sequence[tuple[str, str]], sections: Sequence[Section], pictures: Sequence[str]) -> str:
    """The whole page."""
    lines = [INTRO, "| run | |", "|---|---|", *(f"| {name} | {value} |" for name, value in [*about, *_peers(sections)])]
    lines += ["", "## What is met, and what is missed", "", summary(sections), "", *wide(overview(sections)), ""]
    lines += [f"{picture}\n" for picture in pictures]
    lines += chain.from_iterable(_section(section) for section in sections)
    return "\n".join([*lines, WHY])


def _section(section: Section) -> Iterator[str]:
    yield from (f"## {section.title}", "", section.method, "")
    for one in section.tables:
        yield from (f"### {one.title}", "", *wide(one), "")
    if section.rows:
        yield from (*table(section), "")


def _peers(sections: Sequence[Section]) -> Iterator[tuple[str, str]]:
    found = {name: version for section in sections for name, version in section.versions.items()}
    if found:
        yield "Other systems", ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def summary(sections: Sequence[Section]) -> str:
    """How many bars were met."""
    verdicts = [row.verdict for section in sections for row in section.rows if row.verdict]
    met = sum(verdict.startswith("met") for verdict in verdicts)
    return f"Of {len(verdicts)} figures with a bar {met} meet it."


def table(section: Section) -> Iterator[str]:
    """A section's rows as a Markdown table."""
    yield f"| | measured | {section.beside} | bar | |"
    yield "|---|---|---|---|---|"
    for row in section.rows:
        yield "| " + " | ".join(cells(row)) + " |"


def wide(one: Table) -> Iterator[str]:
    """A table of its own width."""
    yield "| " + " | ".join(one.header) + " |"
    yield "|---" * len(one.header) + "|"
    for line in one.lines:
        yield "| " + " | ".join(line) + " |"


def cells(row: Row) -> tuple[str, ...]:
    """A row's texts in the order of the columns."""
    return row.what, row.measured, row.beside, row.bar, row.verdict
