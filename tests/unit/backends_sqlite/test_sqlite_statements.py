import re
import sqlite3
from importlib.resources import files

import pytest

from outlive.backends.sqlite.kinds import KINDS
from outlive.backends.sqlite.schema import compatible_from, is_current, migrate, statements
from outlive.backends.sqlite.statements import headers, migrations, row, source, sql, sql_for
from outlive.core.filter import EVERYTHING
from outlive.core.states import TRANSITIONS, Event, TaskStatus, may

QUERIES = sorted(
    entry.name.removesuffix(".sql")
    for entry in (files("outlive.backends.sqlite") / "queries").iterdir()
    if entry.name.endswith(".sql") and ".fragment" not in entry.name
)
EVERY_KIND = [
    *(kind for kind in KINDS if kind.alone is None),
    *(kind.otherwise for kind in KINDS if kind.otherwise is not None),
]
WITH_ROWS = [name for name in QUERIES if "{rows}" in sql(name)]


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    yield connection
    connection.close()


def moves(name):
    for line in headers(name, "moves"):
        match = re.fullmatch(r"(\w+) (\w+) -> (\w+)", line)
        assert match, line
        event, before, after = match.groups()
        yield Event(event), None if before == "nothing" else TaskStatus(before), TaskStatus(after)


@pytest.mark.parametrize("name", QUERIES)
def test_every_declared_move_is_in_the_state_table(name):
    assert all(may(*move) for move in moves(name))


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_that_writes_a_status_declares_its_moves(name):
    text = sql(name)
    writes = re.search(r"(insert into outlive_record|\bset\b[^;]*\bstatus = )", text.split("\nwhere")[0])
    declared = {after for _, _, after in moves(name)}
    assert bool(writes) == bool(declared)
    literal = set(re.findall(r"\bset\s+status = '(\w+)'", text))
    assert literal <= declared


def test_the_whole_state_table_is_covered():
    declared = {move for name in QUERIES for move in moves(name)}
    table = {(event, before, after) for (event, before), afters in TRANSITIONS.items() for after in afters}
    assert declared == table


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_says_what_it_does(name):
    assert re.match(r"-- [A-Z].*\.", source(name).replace("\n-- ", " "))


@pytest.mark.parametrize("name", WITH_ROWS)
def test_rows_have_the_columns_that_the_header_names(name, connection):
    values = [None] * len(row(name)) * 4
    connection.execute(f"explain {sql_for(name, 4)}", values)


def test_every_query_with_rows_belongs_to_a_kind_of_move():
    assert sorted(name for kind in EVERY_KIND for name in kind.queries) == WITH_ROWS
    for kind in EVERY_KIND:
        assert len({row(name) for name in kind.queries}) == 1


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in WITH_ROWS])
def test_every_query_compiles(name, connection):
    if name.startswith(("connect", "wal", "begin", "savepoint", "no_wait", "query_only")):
        return
    parameters = dict.fromkeys(re.findall(r":(\w+)", sql(name)))
    marks = sql(name).count("?")
    connection.execute(f"explain {sql(name)}", parameters or [None] * marks)


def plan(connection, name, **values):
    parameters = dict.fromkeys(re.findall(r":(\w+)", sql(name))) | values
    return "\n".join(line[3] for line in connection.execute(f"explain query plan {sql(name)}", parameters))


@pytest.mark.parametrize(
    ("name", "indexes"),
    [
        pytest.param("find", ["sqlite_autoindex_outlive_record_1"], id="all"),
        pytest.param("find_status", ["outlive_record_live", "outlive_record_final"], id="status"),
        pytest.param("find_queue", ["outlive_record_queue (queue=? AND id<?)"], id="queue"),
        pytest.param("find_func", ["outlive_record_func"], id="function"),
        pytest.param("claim_pick", ["outlive_record_free"], id="claim"),
        pytest.param("explain_count", ["outlive_record_free"], id="explain"),
        pytest.param("rescue_plan", ["outlive_record_held"], id="rescue"),
        pytest.param("rescue_rest", ["outlive_record_held"], id="rescue-rest"),
        pytest.param("prune", ["outlive_record_ended"], id="prune"),
        pytest.param("counts", ["outlive_record_live"], id="counts"),
        pytest.param("asked_to_cancel", ["outlive_record_asked"], id="asked"),
        pytest.param("get", ["outlive_log_task"], id="get"),
        pytest.param("find_schedule", ["outlive_record_of_schedule"], id="schedule"),
        pytest.param("planned", ["outlive_record_planned"], id="planned"),
        pytest.param("schedule_gaps", ["outlive_schedule_gap_schedule"], id="gaps"),
        pytest.param("schedule_due", ["outlive_schedule_next"], id="schedules"),
    ],
)
def test_lists_are_read_from_an_index(name, indexes, connection):
    steps = plan(connection, name)
    assert all(index in steps for index in indexes), steps
    assert "SCAN outlive_record\n" not in steps + "\n", steps


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda kind: kind.queries[-1])
def test_moves_find_their_record_by_its_id(kind, connection):
    for name in kind.queries:
        text = f"explain query plan {sql_for(name, 4)}"
        steps = "\n".join(line[3] for line in connection.execute(text, [None] * len(row(name)) * 4))
        assert "SCAN outlive_record" not in steps, steps
        assert "SCAN record" not in steps, steps
        assert "SCAN holder" not in steps, steps
        assert "SCAN outlive_schedule" not in steps, steps


def test_a_slot_looks_for_an_earlier_run_among_the_live_ones_of_its_schedule(connection):
    text = f"explain query plan {sql_for('fire', 1)}"
    steps = "\n".join(line[3] for line in connection.execute(text, [None] * len(row("fire"))))
    assert "outlive_record_schedule" in steps, steps


def of_schema(number, path):
    connection = sqlite3.connect(path / "tasks.db", isolation_level=None)
    connection.execute(sql("schema_create"))
    for known, text in migrations()[:number]:
        for statement in statements(text):
            connection.execute(statement)
        connection.execute(sql("schema_note"), (known, compatible_from(text)))
    return connection


def test_a_lease_is_held_on_while_the_schema_changes(tmp_path):
    connection = of_schema(10, tmp_path)
    granted = {"key": "k", "holder": "me", "fence": 7, "taken_at": 1.5, "expires_at": 9.5}
    connection.execute(sql("lease_grant"), granted)
    migrate(connection)
    found = connection.execute(sql("lease_look"), {"key": "k", "now": 2.0}).fetchall()
    assert found == [("me", 7, 1.5, 9.5, None)]
    connection.close()


def test_a_file_of_the_first_schema_is_brought_up_to_date(tmp_path):
    connection = of_schema(1, tmp_path)
    columns = (
        "id, func, func_name, status, created_at, run_at, recoverable, requeue_on_interrupt, queue, source, timing"
    )
    values = "'t', 'app:send', 'send', 'pending', 1.5, 1.5, 1, 0, 'default', 'manual', 'enqueue', 'async'"
    insert = f"insert into outlive_record ({columns}, executor) values ({values})"
    connection.execute(insert)

    assert not is_current(connection, tmp_path)
    migrate(connection)

    assert is_current(connection, tmp_path)
    assert connection.execute("select id, schedule from outlive_record").fetchall() == [("t", None)]
    connection.execute(insert.replace("'t'", "'of a process that still runs the first release'"))
    connection.close()


def test_migrations_are_numbered_without_gaps_and_say_what_they_keep():
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    for number, text in migrations():
        assert 1 <= compatible_from(text) <= number
        assert all(sqlite3.complete_statement(statement) for statement in statements(text))


def test_a_migration_is_applied_once(connection):
    before = connection.execute("select * from outlive_schema").fetchall()
    migrate(connection)
    assert connection.execute("select * from outlive_schema").fetchall() == before


def test_the_database_itself_refuses_a_state_that_cannot_be(connection):
    columns = (
        "id, func, func_name, created_at, run_at, recoverable, requeue_on_interrupt, queue, source, timing, executor"
    )
    values = "'t', 'f', 'f', 0, 0, 1, 0, 'q', 's', 't', 'e'"
    for status, ended_at in (("success", "null"), ("pending", "1.0"), ("unheard", "1.0")):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(
                f"insert into outlive_record ({columns}, status, ended_at) values ({values}, '{status}', {ended_at})"
            )


def test_nothing_is_asked_of_the_filter_that_no_query_knows():
    assert set(EVERYTHING.__slots__) == {"statuses", "func", "queue", "source", "schedule"}
