"""What a worker process and its keeper say to each other; the words travel pickled through a pipe of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """Run this body; `payload` is the pickled function with its arguments."""

    id: str
    func_name: str
    attempts: int
    tags: Mapping[str, str]
    payload: bytes
    turn_token: int | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """The function has been found and is about to be called."""


@dataclass(frozen=True, slots=True)
class Line:
    """The body has called `task_log`."""

    level: str
    message: str
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """The body has called `progress`."""

    done: float
    total: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Returned:
    """The body has returned; `value` is pickled."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Raised:
    """The body has raised; `exception` is pickled, None where it cannot be."""

    exception: bytes | None
    error: str
    stacktrace: str


@dataclass(frozen=True, slots=True)
class Died:
    """The process has ended without an answer; said by its keeper."""

    exit_code: int | None


Answer = Returned | Raised | Died
Message = Job | Begun | Line | Step | Returned | Raised | Any
