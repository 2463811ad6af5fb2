"""An application with something to see on every screen of the admin."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI

from outlive import TaskAdmin, TaskManager, Tasks, task_log
from outlive.sync import Lock


class BankClosedError(Exception):
    """What charging a card ends with at night."""


class Showcase:
    """The application, its manager and its admin. Whether the bank is open decides how charging ends."""

    def __init__(self, backend: Any = None, *, app: FastAPI | None = None, **options: Any) -> None:
        self.manager = TaskManager(backend, shutdown_grace=0.1, max_sync_threads=4)
        self.app = app or FastAPI(title="Shop")
        self.bank_is_open = False
        self.gate = asyncio.Event()
        self._declare()
        shown: dict[str, Any] = {"title": "Shop", "display_func_args": True} | options
        self.admin = TaskAdmin(self.app, self.manager, **shown)

        @self.app.post("/orders")
        async def order(tasks: Tasks, email: str = "ann@example.org") -> str:
            return tasks.after_response.schedule(self.send_receipt, email, 42).id

        @self.app.post("/checkout", include_in_schema=False)
        async def checkout(tasks: Tasks, order: int = 42) -> str:
            tasks.schedule(self.send_receipt, "ann@example.org", order)
            tasks.after_route.schedule(self.resize_picture, f"invoices/{order}.png")
            return tasks.after_response.schedule(self.clear_baskets).id

    def _declare(self) -> None:
        manager = self.manager
        manager.task(name="shop:send_receipt", retries=2)(self.send_receipt)
        manager.task(name="shop:charge_card", retries=1, delay=0.01)(self.charge_card)
        manager.task(name="shop:resize_picture")(self.resize_picture)
        manager.task(name="shop:import_catalogue")(self.import_catalogue)
        manager.task(name="shop:sign_in")(self.sign_in)
        manager.task(name="shop:sign_off")(self.sign_off)
        manager.schedule(cron="30 2 * * *", timezone="Europe/Berlin", name="shop:nightly_report")(self.nightly_report)
        manager.schedule(every=300, name="shop:clear_baskets")(self.clear_baskets)
        manager.schedule(cron="0 9 * * 1", name="shop:weekly_stock")(self.weekly_stock)

    async def send_receipt(self, address: str, order: int) -> None:
        task_log(f"rendering the receipt of order {order}")
        task_log(f"sent to {address}")

    async def charge_card(self, order: int, amount: float) -> None:
        task_log(f"charging {amount} for order {order}")
        if not self.bank_is_open:
            raise BankClosedError(f"the bank is closed, order {order} was not charged")

    def resize_picture(self, path: str, width: int = 800) -> None:
        time.sleep(0.003)  # noqa: TID251 - long work

    async def import_catalogue(self, source: str) -> None:
        task_log(f"reading {source}")
        await self.gate.wait()

    async def sign_in(self, user: str, password: str) -> None:
        task_log(f"{user} signs in")

    async def sign_off(self) -> None: ...

    async def nightly_report(self) -> None: ...

    async def clear_baskets(self) -> None: ...

    async def weekly_stock(self) -> None: ...

    async def fill(self) -> dict[str, str]:
        """Tasks in every status; their ids by what became of them."""
        manager = self.manager
        sent = [await manager.using(tags={"region": "eu"}).enqueue(self.send_receipt, f"{name}@example.org", number)
                for number, name in enumerate(("ann", "bea", "carl", "dora", "emil", "fred"))]  # fmt: skip
        resized = [await manager.enqueue(self.resize_picture, f"pictures/{number}.png") for number in range(8)]
        charged = [await manager.enqueue(self.charge_card, number, 9.5 + number) for number in range(3)]
        signed_in = await manager.enqueue(self.sign_in, "ann", "sesame")
        for task in (*sent, *resized, *charged, signed_in):
            await asyncio.wait_for(task.finished.wait(), 20)
        running = await manager.using(name="spring prices").enqueue(self.import_catalogue, "catalogue.csv")
        await asyncio.wait_for(running.started.wait(), 20)
        later = datetime.now(UTC) + timedelta(hours=3)
        waiting = await manager.using(run_at=later, priority=8).enqueue(self.send_receipt, "gina@example.org", 7)
        cancelled = await manager.using(run_at=later).enqueue(self.send_receipt, "hans@example.org", 8)
        await manager.cancel(cancelled.id)
        await manager.trigger_schedule("shop:clear_baskets")
        return {
            "success": sent[0].id,
            "failed": charged[0].id,
            "running": running.id,
            "pending": waiting.id,
            "cancelled": cancelled.id,
            "secret": signed_in.id,
        }

    async def hold_locks(self) -> None:
        """One lock that somebody has, with one who waits for it; both last until the application stops."""
        entered = asyncio.Event()
        self._holders = [asyncio.create_task(self._hold("catalogue", entered))]
        await asyncio.wait_for(entered.wait(), 20)
        self._holders.append(asyncio.create_task(self._hold("catalogue", asyncio.Event())))
        deadline = time.monotonic() + 20
        while not any(lease.waiting for lease in await self.manager.backend.leases.held(time.time())):
            if time.monotonic() > deadline:
                raise TimeoutError("nobody waits for the lock")
            await asyncio.sleep(0.01)  # noqa: TID251 - polls with a deadline

    async def _hold(self, name: str, entered: asyncio.Event) -> None:
        async with Lock(name, backend=self.manager.backend, worker="importer"):
            entered.set()
            await self.gate.wait()
