"""Opens a backend as one of many that start at one time; waits for a line, then says what it found."""

import asyncio
import sys

from outlive.backends.urls import backend_from


async def main() -> None:
    backend = backend_from(sys.argv[1])
    sys.stdin.readline()
    await backend.open()
    sys.stdout.write(f"{len(await backend.counts())}\n")
    await backend.close()


asyncio.run(main())
