"""Runs one adapter, in the environment of its system: `python -m benchmarks.peers.run NAME [WHAT]`.

`WHAT` is `worker`, `web`, `serve CASE` or `schedules`; without it the adapter answers as the client of a queue.
"""

import asyncio
import importlib
import sys

from benchmarks.peers.adapter import serve as serve_queue


def main() -> None:
    """Be the worker or a server where that is asked, else answer questions."""
    adapter = importlib.import_module(f"benchmarks.peers.{sys.argv[1]}")
    match sys.argv[2:]:
        case ["worker"]:
            adapter.work()
        case ["web"]:
            web = importlib.import_module("benchmarks.peers.web")
            asyncio.run(web.ask(adapter.Apps()))
        case ["schedules"]:
            bursts = importlib.import_module("benchmarks.peers.bursts")
            asyncio.run(bursts.ask(adapter.burst))
        case ["serve", case]:
            web = importlib.import_module("benchmarks.peers.web")
            web.serve(adapter.Apps().apps()[case]())
        case _:
            asyncio.run(serve_queue(adapter.client()))


if __name__ == "__main__":
    main()
