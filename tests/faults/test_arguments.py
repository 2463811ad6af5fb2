"""L9: what a task is given after a crash is equal to what it was given before, and of the same types."""

import json
import re

from tests.faults.faults_kit import Note

ADDRESS = "Address(street='Hauptstraße 1', since=datetime.date(2020, 2, 29))"
PERSON = (
    "Person(name='Ana', born=datetime.datetime(1990, 5, 17, 8, 30, tzinfo=datetime.timezone.utc), "
    f"addresses=({ADDRESS},), colours={{<Colour.RED: 'red'>}})"
)
KEY = "UUID('12345678-1234-5678-1234-567812345678')"

EXPECTED = {
    "plain": "dict: {'a': [1, None, True, 'ü']}",
    "moment": "datetime: datetime.datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=datetime.timezone.utc)",
    "naive": "datetime: datetime.datetime(2026, 1, 31, 12, 0)",
    "day": "date: datetime.date(2026, 1, 31)",
    "hour": "time: datetime.time(23, 59, 1)",
    "span": "timedelta: datetime.timedelta(days=1, microseconds=5)",
    "key": f"UUID: {KEY}",
    "price": "Decimal: Decimal('0.10')",
    "number": "float: 0.1",
    "huge": "int: 1180591620717411303424",
    "colour": "Colour: <Colour.RED: 'red'>",
    "level": "Level: <Level.HIGH: 3>",
    "word": "Word: <Word.YES: 'yes'>",
    "size": "Size: Size(width=3, unit=Decimal('1.50'))",
    "person": f"Person: {PERSON}",
    "pair": "tuple: (1, 'one')",
    "row": "tuple: (1.0, 2.5)",
    "point": "Point: Point(x=1, y=2.0)",
    "keys": f"set: {{{KEY}}}",
    "frozen": "frozenset: frozenset({7})",
    "data": "bytes: b'bytes'",
    "path": "PosixPath: PosixPath('/srv/a b')",
    "choice": "str: 'b'",
    "nothing": "NoneType: None",
    "something": f"UUID: {KEY}",
    "either": "str: '12'",
    "sizes": "list: [Size(width=1, unit=Decimal('2')), None]",
    "prices": f"dict: {{{KEY}: [Decimal('9.90')]}}",
    "nested": f"dict: {{'x': ({{<Level.HIGH: 3>}}, {PERSON}), 'y': (set(), None)}}",
    "untyped": "list: [1, {'deep': ['text', 1.5, False, None]}]",
    "rest": "tuple: (datetime.date(2026, 3, 1), datetime.date(2026, 3, 2))",
    "more": "dict: {'extra': Decimal('1.0')}",
}


def described(note: Note) -> dict[str, str]:
    """What the task was given; pydantic's own class for UTC is equal to that of the standard library."""
    return json.loads(re.sub(r"TzInfo\((0|UTC)\)", "datetime.timezone.utc", note.text))


def test_arguments_of_every_form_come_back_after_a_kill(stage):
    server = stage.start("arguments", max_concurrent_tasks=1)
    server.wait_for_status(server.post("/block")["id"], "running")
    task_id = server.post("/keep")["id"]
    server.kill()
    assert not stage.ledger.notes(), "it must not have run before"

    restarted = stage.start("arguments")
    restarted.wait_for_status(task_id, "success")

    (seen,) = stage.ledger.notes("seen")
    assert (seen.task_id, seen.pid) == (task_id, restarted.pid)
    assert described(seen) == EXPECTED


def test_arguments_are_the_same_where_nothing_was_stored_in_between(stage):
    server = stage.start("arguments")
    server.wait_for_status(server.post("/keep")["id"], "success")
    (seen,) = stage.ledger.notes("seen")
    assert described(seen) == EXPECTED
