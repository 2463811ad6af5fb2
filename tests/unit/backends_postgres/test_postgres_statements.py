import re
import sys
from importlib.resources import files

import pytest

from outlive import MissingExtraError
from outlive.backends.order import KINDS
from outlive.backends.postgres.batches import text_of
from outlive.backends.postgres.statements import headers, migrations, query, row, source
from outlive.backends.urls import backend_from
from outlive.core.states import TRANSITIONS, Event, TaskStatus, may

ROOT = files("outlive.backends.postgres")


def names(folder):
    found = (entry.name for entry in (ROOT / folder).iterdir())
    return sorted(name.removesuffix(".sql") for name in found if name.endswith(".sql") and ".fragment" not in name)


EVERYWHERE = [(folder, name) for folder in ("moves", "queries") for name in names(folder)]


def moves(folder, name):
    for line in headers(source(name, folder), "moves"):
        match = re.fullmatch(r"(\w+) (\w+) -> (\w+)", line)
        assert match, line
        event, before, after = match.groups()
        yield Event(event), None if before == "nothing" else TaskStatus(before), TaskStatus(after)


@pytest.mark.parametrize(("folder", "name"), EVERYWHERE)
def test_every_declared_move_is_in_the_state_table(folder, name):
    assert all(may(*move) for move in moves(folder, name))


@pytest.mark.parametrize(("folder", "name"), EVERYWHERE)
def test_every_statement_that_writes_a_status_declares_its_moves(folder, name):
    text = source(name, folder)
    writes = re.search(r"(insert into outlive_record |\bset\s+status = )", text)
    declared = {after for _, _, after in moves(folder, name)}
    assert bool(writes) == bool(declared)
    assert set(re.findall(r"\bset\s+status = '(\w+)'", text)) <= declared


@pytest.mark.parametrize(("folder", "name"), EVERYWHERE)
def test_every_update_of_records_names_the_status(folder, name):
    # The server reads the definitions of generated columns anew for each row of an update that touches none of them.
    updates = re.findall(r"update outlive_record\b.*?(?=\bwhere\b)", source(name, folder), re.DOTALL)
    assert all(re.search(r"\bstatus = ", update) for update in updates)


def test_the_whole_state_table_is_covered():
    declared = {move for folder, name in EVERYWHERE for move in moves(folder, name)}
    table = {(event, before, after) for (event, before), afters in TRANSITIONS.items() for after in afters}
    assert declared == table


def test_every_kind_of_move_has_its_part():
    assert set(KINDS) <= set(names("moves"))
    text = text_of(KINDS, counted=KINDS, is_lone=False, mark=True)
    assert numbered(text) == set(range(1, 4 + sum(len(row(kind)) * 2 for kind in KINDS)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_move_gives_each_column_once(kind):
    text = text_of((kind,), counted=(), is_lone=True, mark=True)
    assert numbered(text) == set(range(1, 5 + len(row(kind))))


def numbered(text):
    return {int(number) for number in re.findall(r"\$(\d+)", text)}


def test_parameters_are_numbered_and_casts_are_left_alone():
    beat = query("beat")
    assert beat.names == ("now", "instance")
    assert "to_timestamp($1::float8) where id = $2" in beat.text


def test_migrations_are_numbered_without_gaps_and_say_who_can_still_work():
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))
    assert all(int(headers(text, "compatible from")[0]) for _, text in migrations())


def test_without_the_driver_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    for name in [name for name in sys.modules if name.startswith("outlive.backends.postgres")]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(MissingExtraError, match=r"outlive\[postgres\]"):
        backend_from("postgresql://localhost/app")
