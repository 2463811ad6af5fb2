"""A module that can be imported by an application, but by none of its worker processes."""

import multiprocessing
import threading

if multiprocessing.parent_process() is not None:
    threading.Event().wait()


def never_begins() -> None:
    pass
