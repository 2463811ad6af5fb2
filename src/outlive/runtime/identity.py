"""Who this process is to the others."""

import os
import platform
import socket
from collections.abc import Mapping
from importlib.metadata import version

from uuid_utils import uuid7

from outlive.ports import Executor, Instance

#: Read now: the event loop must not wait for a disk.
_VERSION = f"outlive {version('outlive')}, Python {platform.python_version()}"


def new_instance(now: float, lease: float, executors: Mapping[str, Executor]) -> Instance:
    """An instance that starts now, in this process, and runs bodies with these executors."""
    slots = {name: executor.limit for name, executor in executors.items()}
    return Instance(str(uuid7()), socket.gethostname(), os.getpid(), now, lease, _VERSION, slots)
