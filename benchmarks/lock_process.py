"""One of the processes of a crowd: `python lock_process.py NAME FOLDER`; a line in, ten waiters served."""

import asyncio
import json
import sys
import time
from pathlib import Path

from outlive import SqliteBackend
from outlive.sync import Lock

EACH, HOLD = 10, 0.01


async def main(folder: Path) -> None:
    """Answer each line when all have had it."""
    backend = SqliteBackend(folder / "crowd.db", synchronous="NORMAL", busy_timeout=20)
    await backend.open()

    async def one() -> None:
        async with Lock("bench", backend=backend):
            await asyncio.sleep(HOLD)

    print(json.dumps({"ready": True}), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        begun = time.perf_counter()
        await asyncio.gather(*[one() for _ in range(EACH)])
        print(json.dumps({"value": time.perf_counter() - begun}), flush=True)
    await backend.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[2])))
