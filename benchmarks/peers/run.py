"""Runs one adapter, in the environment of its system: `python -m benchmarks.peers.run NAME [worker]`."""

import asyncio
import importlib
import sys

from benchmarks.peers.adapter import serve


def main() -> None:
    """Be the worker where that is asked, else answer questions."""
    adapter = importlib.import_module(f"benchmarks.peers.{sys.argv[1]}")
    if "worker" in sys.argv[2:]:
        adapter.work()
    else:
        asyncio.run(serve(adapter.client()))


if __name__ == "__main__":
    main()
