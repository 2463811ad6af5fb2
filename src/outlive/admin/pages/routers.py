"""All screens on two routers: what needs a visitor whom the guard lets in, and what anybody may fetch."""

from collections.abc import Sequence

from fastapi import APIRouter, params

from outlive.admin.desk import Desk
from outlive.admin.pages.audit import AuditPage
from outlive.admin.pages.bulk import BulkPage
from outlive.admin.pages.dead import DeadPage
from outlive.admin.pages.errors import ErrorsPage
from outlive.admin.pages.frame import FramePages
from outlive.admin.pages.functions import FunctionsPage
from outlive.admin.pages.history import HistoryPage
from outlive.admin.pages.instances import InstancesPage
from outlive.admin.pages.locks import LocksPage
from outlive.admin.pages.login import LoginPage
from outlive.admin.pages.overview import OverviewPage
from outlive.admin.pages.queues import QueuesPage
from outlive.admin.pages.requests import RequestsPage
from outlive.admin.pages.route import page_route
from outlive.admin.pages.schedules import SchedulesPage
from outlive.admin.pages.task import TaskPage
from outlive.admin.pages.tasks import TasksPage
from outlive.admin.stream import Stream


def guarded_router(desk: Desk, path: str, guards: Sequence[params.Depends]) -> APIRouter:
    """Every screen, each behind the guards."""
    router = APIRouter(
        prefix=f"{path}/dashboard",
        dependencies=guards,
        include_in_schema=False,
        route_class=page_route(desk.pages),
    )
    for screen in (
        OverviewPage(desk),
        TasksPage(desk),
        TaskPage(desk),
        BulkPage(desk),
        RequestsPage(desk),
        ErrorsPage(desk),
        DeadPage(desk),
        SchedulesPage(desk),
        FunctionsPage(desk),
        QueuesPage(desk),
        InstancesPage(desk),
        LocksPage(desk),
        AuditPage(desk),
        HistoryPage(desk),
        FramePages(desk),
        Stream(desk.manager),
    ):
        screen.add_to(router)
    return router


def open_router(desk: Desk, path: str, guards: Sequence[params.Depends]) -> APIRouter:
    """What the page of the login needs, and the login itself; `guards` ask where a request comes from, not who asks."""
    router = APIRouter(prefix=path, dependencies=guards, include_in_schema=False, route_class=page_route(desk.pages))
    router.add_api_route("/dashboard/static/{digest}/{name:path}", FramePages(desk).file, methods=["GET"])
    if desk.passwords is not None:
        LoginPage(desk, desk.passwords).add_to(router)
    return router
