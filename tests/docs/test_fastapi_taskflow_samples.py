"""The samples of fastapi-taskflow's page on its TaskManager, with another import line.

Names that a sample takes for granted are supplied; what stands for "and so on" is left out.
"""

from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.testclient import TestClient
from support.recording import captured_log
from support.samples import BEGINS, SENT, Page
from support.waiting import until_sync

from outlive import ManagedBackgroundTasks, MemoryBackend, SqliteBackend, TaskConfig, TaskManager, Tasks


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def page_with_app(manager: TaskManager | None = None) -> Page:
    manager, app = manager or TaskManager(), FastAPI()
    manager.init_app(app)
    return Page(task_manager=manager, app=app, ManagedBackgroundTasks=ManagedBackgroundTasks).speaking("send_email")


CONSTRUCTOR = """
from outlive import TaskManager

task_manager = TaskManager(
    snapshot_db="tasks.db",
    retries=3,
)
"""


def test_the_constructor_takes_a_database_and_defaults_for_all_tasks():
    page = Page().run(CONSTRUCTOR)
    page.names["app"] = app = FastAPI()
    page.names["task_manager"].init_app(app)
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise ValueError("no")

    @app.post("/")
    def endpoint(tasks: Tasks) -> None:
        tasks.add_task(fail)

    with captured_log("outlive.task"), page.served() as served:
        served.post("/")
        record = served.records(1)["fail"]

    assert len(attempts) == 4
    assert (record.status, record.retries_used) == ("failed", 3)
    assert Path("tasks.db").exists()


DOCUMENTED_DEFAULTS: dict[str, Any] = {
    "snapshot_db": None,
    "snapshot_backend": None,
    "snapshot_interval": 60.0,
    "requeue_pending": False,
    "merged_list_ttl": 5.0,
    "max_concurrent_tasks": None,
    "max_sync_threads": None,
    "max_process_workers": None,
    "process_shutdown_timeout": 30.0,
    "retention_days": None,
    "loggers": None,
    "log_file": None,
    "log_file_max_bytes": 10485760,
    "log_file_backup_count": 5,
    "log_file_mode": "rotate",
    "log_lifecycle": False,
    "encrypt_args_key": None,
}


@pytest.mark.parametrize("name", DOCUMENTED_DEFAULTS)
def test_a_documented_parameter_takes_its_documented_default(name):
    TaskManager(**{name: DOCUMENTED_DEFAULTS[name]})


def test_all_documented_defaults_together_make_a_manager_that_runs_tasks():
    page = page_with_app(TaskManager(**DOCUMENTED_DEFAULTS)).run(GET_TASKS)

    with page.served() as served:
        served.post("/signup", params={"email": "ada@example.com"})
        assert served.records(1)["send_email"].status == "success"


def test_a_backend_takes_precedence_over_a_path():
    backend = MemoryBackend()
    assert TaskManager(snapshot_db="tasks.db", snapshot_backend=backend).backend is backend
    assert isinstance(TaskManager(snapshot_db="tasks.db").backend, SqliteBackend)


TASK = """
@task_manager.task(
    retries=3,
    delay=1.0,
    backoff=2.0,
    persist=False,
    name=None,
    requeue_on_interrupt=False,
    eager=False,
    priority=None,
    executor=None,
)
def my_task(user_id: int) -> None:
    ...
"""


def test_task_registers_a_function_and_gives_it_back():
    page = page_with_app().run(TASK)
    registry, my_task = page.manager.registry, page.names["my_task"]

    assert my_task(5) is None
    config = registry.get_config(my_task)
    assert config is not None
    assert (config.retries, config.delay, config.backoff, config.persist) == (3, 1.0, 2.0, False)
    assert registry.get_by_name("my_task") == (my_task, config)


TASK_WITH_RETRIES = """
@task_manager.task(retries=3, delay=1.0, backoff=2.0)
def send_email(address: str) -> None:
    ...
"""


def test_a_declared_task_runs_with_its_options():
    page = page_with_app().run(TASK_WITH_RETRIES).run(GET_TASKS)

    with page.served() as served:
        task_id = served.post("/signup", params={"email": "ada@example.com"})["task_id"]
        record = served.records(1)["send_email"]

    assert (record.task_id, record.status, record.executor) == (task_id, "success", "thread")
    assert page.manager.registry.is_registered(page.names["send_email"])


GET_TASKS = """
@app.post("/signup")
def signup(email: str, tasks=Depends(task_manager.get_tasks)):
    task_id = tasks.add_task(send_email, email)
    return {"task_id": task_id}
"""
BACKGROUND_TASKS = """
@app.post("/signup")
def signup(
    email: str,
    background_tasks: ManagedBackgroundTasks = Depends(task_manager.background_tasks),
):
    task_id = background_tasks.add_task(send_email, email)
    return {"task_id": task_id}
"""


@pytest.mark.parametrize("sample", [GET_TASKS, BACKGROUND_TASKS], ids=["get_tasks", "background_tasks"])
def test_add_task_runs_after_the_response_and_gives_the_id_of_the_record(sample):
    page = page_with_app().run(sample)

    with page.served() as served:
        task_id = served.post("/signup", params={"email": "ada@example.com"})["task_id"]
        record = served.records(1)["send_email"]

    assert (record.task_id, record.status, record.timing) == (task_id, "success", "after_response")
    assert page.said == [BEGINS, SENT, "send_email ada@example.com"]


INIT_APP = """
from fastapi import FastAPI
from outlive import TaskManager

task_manager = TaskManager(snapshot_db="tasks.db")
app = FastAPI()

task_manager.init_app(app)
"""


def test_init_app_starts_and_stops_with_the_application_and_keeps_the_records():
    task_ids = []
    for _ in range(2):
        page = Page().speaking("send_email").run(INIT_APP).run(GET_TASKS)
        assert not page.manager.is_started
        with page.served() as served:
            assert page.manager.is_started
            task_ids.append(served.post("/signup", params={"email": "ada@example.com"})["task_id"])
            assert served.records(len(task_ids))["send_email"].id == task_ids[-1]
        assert not page.manager.is_started

    assert len(set(task_ids)) == 2


def test_init_app_may_be_called_again():
    page = page_with_app()
    for _ in range(2):
        page.manager.init_app(page.app)
    page.run(GET_TASKS)

    with page.served() as served:
        served.post("/signup", params={"email": "ada@example.com"})
        served.records(1)

    assert page.said.count("send_email ada@example.com") == 1


LIFESPAN = """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from outlive import TaskManager

task_manager = TaskManager(snapshot_db="tasks.db")

@asynccontextmanager
async def lifespan(app):
    await task_manager.startup()
    yield
    await task_manager.shutdown()

app = FastAPI(lifespan=lifespan)
"""


@pytest.mark.parametrize("sample", [GET_TASKS, BACKGROUND_TASKS], ids=["get_tasks", "background_tasks"])
def test_startup_and_shutdown_in_a_lifespan_of_ones_own(sample):
    page = Page(ManagedBackgroundTasks=ManagedBackgroundTasks).speaking("send_email").run(LIFESPAN).run(sample)
    manager = page.names["task_manager"]

    with TestClient(page.app) as client:
        task_id = client.post("/signup", params={"email": "ada@example.com"}).json()["task_id"]
        assert client.portal is not None
        portal = client.portal
        until_sync(lambda: portal.call(manager.get, task_id).is_final)
        assert portal.call(manager.get, task_id).status == "success"

    assert page.said == ["send_email ada@example.com"]
    assert not manager.is_started


def test_a_task_that_the_shutdown_overtook_runs_after_the_next_startup():
    page = Page().speaking("send_email").run(LIFESPAN).run(GET_TASKS)
    page.names["task_manager"].task()(page.names["send_email"])

    with TestClient(page.app) as client:
        client.post("/signup", params={"email": "ada@example.com"})
    with TestClient(page.app):
        until_sync(lambda: page.said)

    assert page.said == ["send_email ada@example.com"]


INSTALL = """
task_manager.install(app)

@app.post("/signup")
def signup(email: str, background_tasks: BackgroundTasks):
    background_tasks.add_task(send_email, email)
"""


def test_install_gives_managed_tasks_to_plain_annotations():
    page = Page(task_manager=TaskManager(), app=FastAPI()).speaking("send_email").run(INSTALL)

    with page.served() as served:
        served.post("/signup", params={"email": "ada@example.com"})
        record = served.records(1)["send_email"]

    assert (record.status, record.timing) == ("success", "after_response")
    assert page.said == [BEGINS, SENT, "send_email ada@example.com"]


def test_after_install_all_three_patterns_give_the_same_managed_object():
    manager, app = TaskManager(), FastAPI()
    manager.install(app)
    seen: list[object] = []

    def dependency(plain: BackgroundTasks) -> None:
        seen.append(plain)

    @app.post("/", dependencies=[Depends(dependency)])
    def endpoint(
        explicit: ManagedBackgroundTasks,
        depends=Depends(manager.get_tasks),  # noqa: B008 - the style under test
        alias=Depends(manager.background_tasks),  # noqa: B008 - the style under test
    ) -> None:
        seen.extend([explicit, depends, alias])

    with TestClient(app) as client:
        client.post("/")

    assert len(seen) == 4
    assert len(set(map(id, seen))) == 1
    assert isinstance(seen[0], ManagedBackgroundTasks)


def test_without_install_a_plain_annotation_keeps_fastapis_own():
    manager, app = TaskManager(), FastAPI()
    manager.init_app(app, install=False)
    ran: list[object] = []

    @app.post("/")
    def endpoint(tasks: BackgroundTasks) -> None:
        ran.append(type(tasks))
        tasks.add_task(ran.append, "ran")

    with TestClient(app) as client:
        client.post("/")
        assert client.portal is not None
        assert client.portal.call(manager.find) == []

    assert ran == [BackgroundTasks, "ran"]


def test_the_registry_and_the_store_are_attributes_of_the_manager():
    page = page_with_app().run(TASK).run(GET_TASKS)
    manager, my_task = page.manager, page.names["my_task"]

    assert isinstance(manager.registry.get_config(my_task), TaskConfig)
    assert list(manager.store) == []
    with page.served() as served:
        served.post("/signup", params={"email": "ada@example.com"})
        served.records(1)
        until_sync(lambda: len(manager.store) == 0)


def test_merged_list_holds_the_tasks_of_this_and_of_earlier_processes():
    for count in (1, 2):
        page = Page().speaking("send_email").run(INIT_APP).run(GET_TASKS)
        with page.served() as served:
            served.post("/signup", params={"email": "ada@example.com"})
            served.records(count)
            assert served.client.portal is not None
            merged = served.client.portal.call(page.manager.merged_list)
            assert [record.func_name for record in merged] == ["send_email"] * count
