"""An application that forks while its manager runs: python fork_child.py BACKEND. It says as JSON what it has seen."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable
from typing import Any

from outlive import TaskManager
from outlive.core.record import TaskRecord
from outlive.sync import LeaderElection

URL = sys.argv[1]
manager = TaskManager(URL, lease=0.6, shutdown_grace=0.2)
leader = LeaderElection("fork", retry_interval=0.1)
manager.add_task(leader)
ran: list[str] = []


@manager.task(requeue_on_interrupt=True)
async def work(word: str, seconds: float = 0.0) -> str:
    ran.append(word)
    await asyncio.sleep(seconds)  # noqa: TID251 - long work
    return word


async def parent() -> None:
    async with manager:
        await leader.wait_for_leader()
        owner = manager.runtime.process.instance.id
        running = await manager.enqueue(work, "parent", 2.5)
        fleeting = await manager.using(persist=False).enqueue(work, "fleeting", 2.5)
        await running.started.wait()
        await fleeting.started.wait()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(write, json.dumps(asyncio.run(seen_by_child(running, fleeting, owner))).encode())
            finally:
                os._exit(0)
        os.close(write)
        seen = json.loads(await asyncio.to_thread(_read_all, read))
        await asyncio.to_thread(os.waitpid, child, 0)
        seen["result"], seen["fleeting"] = await running.result(20), await fleeting.result(20)
        record = await manager.get(running.id)
        assert record is not None
        seen["parent"] = {"status": record.status, "fence": record.fence, "is_owner": record.owner == owner}
        seen["still_leads"] = leader.is_leader()
        seen["after"] = await (await manager.enqueue(work, "after")).result(20)
        seen["ran"] = ran
    sys.stdout.write(json.dumps(seen))


def _read_all(descriptor: int) -> str:
    with open(descriptor) as pipe:
        return pipe.read()


async def seen_by_child(running: Any, fleeting: Any, owner: str) -> dict[str, Any]:
    seen = {
        "is_started": manager.is_started,
        "live": len(manager.store),
        "leads": leader.is_leader(),
        "enqueue": await _error(manager.enqueue(work, "child")),
        "enqueue_sync": await _error(asyncio.to_thread(manager.enqueue_sync, work, "child")),
        "cancel": await _error(running.cancel()),
        "cancel_fleeting": await _error(fleeting.cancel()),
        "beat": await _error(manager.backend.beat(owner, 0.0)) if manager.backend.durable else "",
    }
    await manager.shutdown()
    seen["startup"] = await _error(manager.startup())
    seen["another"] = await _error(_use_another())
    if manager.is_started:
        records: list[TaskRecord] = await manager.merged_list()
        task = await manager.enqueue(work, "child")
        seen["own"] = {
            "is_another": manager.runtime.process.instance.id != owner,
            "knows": [record.func_name for record in records],
            "result": await task.result(20),
        }
        await asyncio.sleep(1.0)  # noqa: TID251 - longer than the lease, after which others may rescue
        await manager.shutdown()
    seen["ran_in_child"] = ran[2:]
    return seen


async def _use_another() -> None:
    async with TaskManager(URL):
        pass


async def _error(doing: Awaitable[Any]) -> str:
    try:
        async with asyncio.timeout(10):
            await doing
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    asyncio.run(parent())
