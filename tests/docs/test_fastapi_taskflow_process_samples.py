"""The samples of fastapi-taskflow's page on its TaskManager that run in worker processes, with another import line.

A worker imports a function by the name of its module, so each sample is run as the module that it would be part of.
"""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from fastapi import FastAPI
from support.samples import Page
from support.waiting import ended

from outlive import TaskManager

SUPPLIED = """
import os

from outlive import TaskManager

task_manager = TaskManager(max_process_workers=1)


def render_pdf(report_id):
    return f"report {report_id} by {os.getpid()}".encode()

"""
TASK = """
@task_manager.task(executor="process")
def generate_report(report_id: int) -> bytes:
    return render_pdf(report_id)
"""
SCHEDULE = """
@task_manager.schedule(every=3600, executor="process")
def rebuild_search_index() -> None:
    ...
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)

    def write(sample: str) -> ModuleType:
        (tmp_path / "sample_of_processes.py").write_text(SUPPLIED + sample)
        return importlib.import_module("sample_of_processes")

    yield write
    sys.modules.pop("sample_of_processes", None)


async def test_a_task_that_runs_in_a_process(module):
    page = module(TASK)

    async with page.task_manager as manager:
        task = await manager.enqueue(page.generate_report, 7)
        text = (await task.result(20)).decode()
        record = await ended(manager, task.id)

    assert text.startswith("report 7 by ")
    assert text != f"report 7 by {os.getpid()}"
    assert (record.executor, record.status) == ("process", "success")
    assert page.generate_report(8) == f"report 8 by {os.getpid()}".encode(), "it can still be called directly"


def test_a_request_hands_it_to_a_process(module):
    module = module(TASK)
    page = Page(app=FastAPI(), task_manager=module.task_manager, send_email=module.generate_report)
    module.task_manager.init_app(page.app)
    page.run(
        """
@app.post("/signup")
def signup(email: int, tasks=Depends(task_manager.get_tasks)):
    task_id = tasks.add_task(send_email, email)
    return {"task_id": task_id}
"""
    )

    with page.served() as served:
        task_id = served.post("/signup", params={"email": 7})["task_id"]
        record = served.records(1)["generate_report"]

    assert (record.id, record.executor, record.status) == (task_id, "process", "success")


async def test_a_schedule_that_runs_in_a_process(module):
    page = module(SCHEDULE)

    async with page.task_manager as manager:
        [schedule] = await manager.schedules()
        task = await manager.trigger_schedule(schedule.name)
        assert await task.result(20) is None
        record = await ended(manager, task.id)

    assert (record.func_name, record.executor, record.status) == ("rebuild_search_index", "process", "success")


def _plain() -> None: ...


async def _coroutine() -> None: ...


@pytest.mark.parametrize(
    ("executor", "func"),
    [
        pytest.param("async", _plain, id="async on a sync function"),
        pytest.param("thread", _coroutine, id="thread on a coroutine function"),
        pytest.param("process", lambda: None, id="process on a lambda"),
    ],
)
@pytest.mark.parametrize("decorator", ["task", "schedule"])
def test_an_executor_that_cannot_run_the_function_is_refused_at_decoration(decorator, executor, func):
    manager = TaskManager()
    options = {"every": 300.0} if decorator == "schedule" else {}

    with pytest.raises(ValueError, match="executor"):
        getattr(manager, decorator)(executor=executor, **options)(func)
