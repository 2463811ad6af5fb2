"""An instance of a test, in a process of its own: python presence_child.py COMMAND URL INSTANCE.

It says on stdout how far it is, and goes on when it gets a line on stdin.
"""

import asyncio
import os
import sys
import time

from outlive.backends.urls import backend_from
from outlive.ports import Backend, Instance

LEASE = 1000.0


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def wait_for_end(child: int) -> None:
    os.waitpid(child, 0)


async def joined(url: str, name: str) -> Backend:
    backend = backend_from(url)
    await backend.open()
    await backend.join(Instance(name, os.uname().nodename, os.getpid(), time.time(), LEASE), time.time())
    return backend


async def join(url: str, name: str) -> None:
    backend = await joined(url, name)
    say("ready")
    sys.stdin.readline()
    await backend.close()
    say("done")


async def join_and_fork(url: str, name: str) -> None:
    await joined(url, name)
    child = os.fork()
    if child == 0:
        say("ready", os.getpid())
        sys.stdin.readline()
        os._exit(0)
    wait_for_end(child)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](*sys.argv[2:]))
