"""Tells a process from a child that was forked from it; to ask the operating system each time takes longer."""

import os
from itertools import count

_generations = count()
#: A number that no two processes along a line of forks share.
here = next(_generations)


def _begin_next() -> None:
    global here  # noqa: PLW0603 - it says something of the process, which there is one of
    here = next(_generations)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_next)
