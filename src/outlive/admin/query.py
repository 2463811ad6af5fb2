"""The one grammar for finding tasks: the search box, the address of a page and the API all speak it. Pure.

`status:failed fn:send age:<1h tag.region:eu -queue:bulk "bank is closed"`: terms are divided by blanks and all hold;
one with `-` in front must not. A value with blanks stands in quotes, alternatives are divided by commas, `*` stands
for any text. Numbers and times may have `<`, `<=`, `>` or `>=` in front.
"""

import json
import operator
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, cast

from outlive.admin.failures import fingerprint
from outlive.core.filter import TaskFilter
from outlive.core.record import TaskRecord
from outlive.core.states import LIVE, TaskStatus
from outlive.errors import OutliveError

Test = Callable[[TaskRecord], bool]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_COMPARED = re.compile(r"(?P<sign><=|>=|<|>|=)?(?P<number>\d+(?:\.\d+)?)(?P<unit>[a-z]*)")
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


class QueryError(OutliveError, ValueError):
    """A query cannot be understood; says which part, and what could stand there."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: what the backend can find by itself, and tests for what it finds."""

    text: str = ""
    conditions: TaskFilter = TaskFilter()  # noqa: RUF009 - frozen
    tests: Sequence[Test] = ()
    #: Accepted at or after this moment, and before this one.
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, record: TaskRecord) -> bool:
        """Whether a record that the backend has found is wanted."""
        return all(test(record) for test in self.tests)


@dataclass(frozen=True, slots=True)
class _Term:
    key: str
    value: str
    negated: bool


def parse(text: str, now: datetime, *, arguments: bool = False) -> Query:
    """Read a query; `QueryError` where it makes no sense. `arguments`: whether it may ask about them."""
    query = Query(text)
    for term in map(_term, _words(text)):
        if term.key.startswith("arg.") and not arguments:
            raise QueryError("arg.… asks about arguments, which are not shown: TaskAdmin(display_func_args=True)")
        query = _add(query, term, now)
    return _bounded(query)


def _bounded(query: Query) -> Query:
    """Let the backend look for a queue and a source only among live records, which are few.

    No index holds them, so among a million ended ones it would look at all; as tests they are looked for in steps.
    """
    asked = query.conditions
    if asked.statuses is not None and asked.statuses <= LIVE:
        return query
    bare = replace(asked, queue=None, source=None)
    if bare == asked:
        return query
    by_scan = TaskFilter(queue=asked.queue, source=asked.source)
    return replace(query, conditions=bare, tests=(by_scan.matches, *query.tests))


def known_keys() -> list[str]:
    """What may stand in front of a colon."""
    return sorted([*_TEXTS, *_NUMBERS, "status", "age", "tag.<name>", "arg.<name>"])


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape, lexer.quotes = True, "", "", '"'
    try:
        return list(lexer)
    except ValueError as error:
        raise QueryError('a quote is not closed; write "some words"') from error


def _term(word: str) -> _Term:
    negated = word.startswith("-") and len(word) > 1
    key, colon, value = word.removeprefix("-" if negated else "").partition(":")
    is_address = value.startswith("//")
    if not colon or is_address or not re.fullmatch(r"[a-z_]+|(?:tag|arg)\.[\w.-]+", key):
        return _Term("", word.removeprefix("-" if negated else ""), negated)
    return _Term(key, value, negated)


def _add(query: Query, term: _Term, now: datetime) -> Query:
    if not term.key:
        return _tested(query, term, _contains(term.value.lower()))
    if not term.value:
        raise QueryError(f"{term.key}: says nothing after the colon")
    if term.key == "status":
        return _with_statuses(query, term)
    if term.key == "age":
        return _with_age(query, term, now)
    if term.key in _TEXTS:
        return _with_text(query, term)
    if term.key in _NUMBERS:
        return _tested(query, term, _compared(term, _NUMBERS[term.key]))
    kind, dot, name = term.key.partition(".")
    if dot:
        return _tested(query, term, _tag(name, term.value) if kind == "tag" else _argument(name, term.value))
    raise QueryError(f"{term.key!r} is not known; known are {', '.join(known_keys())}")


def _tested(query: Query, term: _Term, test: Test) -> Query:
    wanted: Test = (lambda record: not test(record)) if term.negated else test
    return replace(query, tests=(*query.tests, wanted))


def _with_statuses(query: Query, term: _Term) -> Query:
    names = term.value.split(",")
    unknown = [name for name in names if name not in set(TaskStatus)]
    if unknown:
        raise QueryError(f"status:{unknown[0]} is no status; they are {', '.join(TaskStatus)}")
    statuses = frozenset(map(TaskStatus, names))
    if term.negated:
        statuses = frozenset(TaskStatus) - statuses
    if query.conditions.statuses is not None:
        statuses &= query.conditions.statuses
    return replace(query, conditions=replace(query.conditions, statuses=statuses))


def _with_text(query: Query, term: _Term) -> Query:
    name, read = _TEXTS[term.key]
    is_plain = not term.negated and "*" not in term.value and "," not in term.value
    if is_plain and name in ("func", "queue", "source") and getattr(query.conditions, name) is None:
        change: dict[str, Any] = {name: term.value}
        return replace(query, conditions=replace(query.conditions, **change))
    patterns = term.value.lower().split(",")
    if name == "error":
        patterns = [f"*{pattern}*" for pattern in patterns]
    return _tested(query, term, lambda record: any(_like(value, patterns) for value in read(record)))


def _with_age(query: Query, term: _Term, now: datetime) -> Query:
    sign, seconds = _read_number(term, "1h, <30min, >2d")
    moment = now - timedelta(seconds=seconds)
    if (sign in (">", ">=")) is term.negated:  # younger than that
        return replace(query, since=moment if query.since is None else max(moment, query.since))
    return replace(query, until=moment if query.until is None else min(moment, query.until))


def _compared(term: _Term, read: Callable[[TaskRecord], float | None]) -> Test:
    sign, wanted = _read_number(term, "3, >=2, <500ms")
    compare = _SIGNS[sign]

    def test(record: TaskRecord) -> bool:
        value = read(record)
        return value is not None and compare(value, wanted)

    return test


def _read_number(term: _Term, examples: str) -> tuple[str, float]:
    found = _COMPARED.fullmatch(term.value)
    if found is None or (found["unit"] and found["unit"] not in _UNITS):
        raise QueryError(f"{term.key}:{term.value} is no number or time; write it like {examples}")
    return found["sign"] or "=", float(found["number"]) * _UNITS.get(found["unit"], 1.0)


def _contains(wanted: str) -> Test:
    def test(record: TaskRecord) -> bool:
        texts = (record.id, record.func, record.func_name, record.label, record.error, record.reason)
        return any(wanted in text.lower() for text in (*texts, *record.tags.values()) if text)

    return test


def _tag(name: str, wanted: str) -> Test:
    patterns = wanted.lower().split(",")
    return lambda record: _like(record.tags.get(name), patterns)


def _argument(path: str, wanted: str) -> Test:
    patterns = wanted.lower().split(",")

    def test(record: TaskRecord) -> bool:
        if record.arguments is None or record.is_encrypted:
            return False
        value: Any = json.loads(record.arguments)
        for name in path.split("."):
            value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
        return value is not None and _like(value if isinstance(value, str) else json.dumps(value), patterns)

    return test


def _like(value: str | None, patterns: Sequence[str]) -> bool:
    # `[` and `?` mean themselves, only `*` is special.
    return value is not None and any(fnmatchcase(value.lower(), _pattern(pattern)) for pattern in patterns)


def _pattern(text: str) -> str:
    return re.sub(r"([\[?])", r"[\1]", text)


_TEXTS: dict[str, tuple[str, Callable[[TaskRecord], Sequence[str | None]]]] = {
    "fn": ("func", lambda record: (record.func, record.func_name)),
    "func": ("func", lambda record: (record.func, record.func_name)),
    "queue": ("queue", lambda record: (record.queue,)),
    "source": ("source", lambda record: (record.source,)),
    "id": ("id", lambda record: (record.id,)),
    "schedule": ("schedule", lambda record: (record.schedule,)),
    "label": ("label", lambda record: (record.label,)),
    "error": ("error", lambda record: (record.error,)),
    "group": ("group", lambda record: (fingerprint(record),)),
    "executor": ("executor", lambda record: (record.executor,)),
    "timing": ("timing", lambda record: (record.timing,)),
    "owner": ("owner", lambda record: (record.owner,)),
    "key": ("key", lambda record: (record.idempotency_key,)),
}

_NUMBERS: dict[str, Callable[[TaskRecord], float | None]] = {
    "attempts": lambda record: float(record.attempts),
    "priority": lambda record: float(record.priority or 0),
    "duration": lambda record: record.duration,
}
