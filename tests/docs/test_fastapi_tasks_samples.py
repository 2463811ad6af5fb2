"""The samples of fastapi-tasks' page on scheduling, with another import line.

Comments are left out; names that a sample takes for granted are supplied. Left out is the dependency on
`lambda tasks=Depends()`, which FastAPI itself takes for query parameters; the form that works stands in its place.
"""

import logging
from typing import Annotated

import anyio
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from support.recording import captured_log
from support.samples import BEGINS, SENT, Page

from outlive import Task, TaskConfig, TaskErrorHandler, Tasks, add_tasks


def page_with_app(**supplied) -> Page:
    app = FastAPI()
    add_tasks(app)
    return Page(app=app, Tasks=Tasks, **supplied)


def statuses(records) -> dict[str, str]:
    return {name: record.status.value for name, record in records.items()}


BASIC_USAGE = """
from fastapi import FastAPI
from outlive import Tasks, add_tasks

app = FastAPI()
add_tasks(app)


async def process_data(data: dict) -> None:
    print(f"Processing: {data}")


@app.post("/process")
async def process_endpoint(data: dict, tasks: Tasks) -> dict:
    tasks.schedule(process_data, data)

    return {"status": "processing started"}
"""


def test_basic_usage():
    page = Page().run(BASIC_USAGE)

    with page.served() as served:
        assert served.post("/process", json={"a": 1}) == {"status": "processing started"}
        record = served.records(1)["process_data"]

    assert "Processing: {'a': 1}" in page.said
    assert (record.status, record.timing, record.attempts) == ("success", "immediate", 1)


PASSING_ARGUMENTS = """
async def send_email(to: str, subject: str, body: str, cc: list[str] | None = None) -> None:
    print(f"Sending email to {to}")
    print(f"Subject: {subject}")
    print(f"CC: {cc}")


@app.post("/send")
async def send_message(tasks: Tasks) -> dict:
    tasks.schedule(send_email, "user@example.com", "Hello", "Welcome!")

    tasks.schedule(
        send_email,
        to="user@example.com",
        subject="Hello",
        body="Welcome!",
        cc=["admin@example.com"]
    )

    tasks.schedule(
        send_email,
        "user@example.com",
        "Hello",
        body="Welcome!",
        cc=["admin@example.com"]
    )

    return {"status": "ok"}
"""


def test_passing_arguments():
    page = page_with_app().run(PASSING_ARGUMENTS)

    with page.served() as served:
        assert served.post("/send") == {"status": "ok"}
        assert statuses(served.records(3)) == {"send_email": "success"}

    assert page.said.count("Sending email to user@example.com") == 3
    assert page.said.count("Subject: Hello") == 3
    assert sorted(line for line in page.said if line.startswith("CC")) == [
        "CC: None",
        "CC: ['admin@example.com']",
        "CC: ['admin@example.com']",
    ]


MULTIPLE_TASKS = """
async def task_1() -> None:
    print("Task 1")


async def task_2() -> None:
    print("Task 2")


async def task_3() -> None:
    print("Task 3")


@app.post("/multiple")
async def schedule_multiple(tasks: Tasks) -> dict:
    tasks.schedule(task_1)
    tasks.schedule(task_2)
    tasks.schedule(task_3)

    return {"scheduled": 3}
"""


def test_scheduling_multiple_tasks():
    page = page_with_app().run(MULTIPLE_TASKS)

    with page.served() as served:
        assert served.post("/multiple") == {"scheduled": 3}
        records = served.records(3)

    assert statuses(records) == {"task_1": "success", "task_2": "success", "task_3": "success"}
    assert {"Task 1", "Task 2", "Task 3"} <= set(page.said)


RETURN_VALUE = """
from outlive import Tasks
import anyio


async def my_task() -> None:
    await anyio.sleep(1)
    print("Task completed")


@app.post("/track")
async def track_task(tasks: Tasks) -> dict:
    task = tasks.schedule(my_task)

    await anyio.sleep(0.1)

    if task.started.is_set():
        return {"status": "task started"}
    else:
        return {"status": "task pending"}
"""


def test_the_task_that_schedule_returns_tells_that_it_has_started():
    page = page_with_app().run(RETURN_VALUE)

    with page.served() as served:
        assert served.post("/track") == {"status": "task started"}
        assert "Task completed" not in page.said
        record = served.records(1)["my_task"]

    assert page.said[-1] == "Task completed"
    assert record.status == "success"
    assert record.duration is not None
    assert record.duration >= 1


def test_the_task_object_has_what_the_page_lists():
    app = FastAPI()
    add_tasks(app)
    seen = {}

    async def work(to: str, *, subject: str) -> None: ...

    async def handle(task: Task, error: BaseException) -> None: ...

    @app.post("/")
    async def endpoint(tasks: Tasks) -> None:
        task = tasks.task(name="welcome", shield=True, on_error=handle).schedule(work, "Ada", subject="Hello")
        await task.started.wait()
        seen["task"] = task

    with TestClient(app) as client:
        assert client.post("/").status_code == 200

    task = seen["task"]
    assert isinstance(task, Task)
    assert isinstance(task.started, anyio.Event)
    assert isinstance(task.config, TaskConfig)
    assert (task.config.name, task.config.shield, task.config.on_error) == ("welcome", True, handle)
    assert (task.func, task.args, task.kwargs) == (work, ("Ada",), {"subject": "Hello"})


TIMING_MODES = """
@app.post("/immediate")
async def immediate_task(tasks: Tasks) -> dict:
    tasks.schedule(my_task)
    return {"status": "ok"}


@app.post("/after-route")
async def after_route_task(tasks: Tasks) -> dict:
    tasks.after_route.schedule(my_task)
    return {"status": "ok"}


@app.post("/after-response")
async def after_response_task(tasks: Tasks) -> dict:
    tasks.after_response.schedule(my_task)
    return {"status": "ok"}
"""


@pytest.mark.parametrize(
    ("path", "timing", "order"),
    [
        ("/after-route", "after_route", ["my_task", BEGINS, SENT]),
        ("/after-response", "after_response", [BEGINS, SENT, "my_task"]),
    ],
    ids=["after route", "after response"],
)
def test_a_timing_mode_says_when_the_task_runs(path, timing, order):
    page = page_with_app().speaking("my_task").run(TIMING_MODES)

    with page.served() as served:
        assert served.post(path) == {"status": "ok"}
        record = served.records(1)["my_task"]

    assert page.said == order
    assert (record.timing, record.status) == (timing, "success")


def test_immediate_execution_runs_beside_the_endpoint():
    page = page_with_app().speaking("my_task").run(TIMING_MODES)

    with page.served() as served:
        assert served.post("/immediate") == {"status": "ok"}
        record = served.records(1)["my_task"]

    assert page.said.count("my_task") == 1
    assert (record.timing, record.status) == ("immediate", "success")


COMBINED_MODES = """
async def validate_data(data: dict) -> None:
    print("Validating data")


async def log_request(endpoint: str) -> None:
    print(f"Request to {endpoint}")


async def send_notification(message: str) -> None:
    print(f"Notification: {message}")


@app.post("/combined")
async def combined_example(data: dict, tasks: Tasks) -> dict:
    tasks.schedule(validate_data, data)

    tasks.after_route.schedule(log_request, "/combined")

    tasks.after_response.schedule(send_notification, "Request processed")

    return {"status": "ok"}
"""


def test_combined_modes_run_in_the_documented_order():
    page = page_with_app().run(COMBINED_MODES)

    with page.served() as served:
        assert served.post("/combined", json={"a": 1}) == {"status": "ok"}
        records = served.records(3)

    assert page.said == [
        "Validating data",
        "Request to /combined",
        BEGINS,
        SENT,
        "Notification: Request processed",
    ]
    assert statuses(records) == {"validate_data": "success", "log_request": "success", "send_notification": "success"}
    assert {name: record.timing for name, record in records.items()} == {
        "validate_data": "immediate",
        "log_request": "after_route",
        "send_notification": "after_response",
    }


DEPENDENCY = '''
from fastapi import Depends


async def audit_log(action: str, tasks: Tasks = Depends()) -> None:
    """Dependency that logs actions as a background task"""
    tasks.after_route.schedule(log_action, action)
'''
DEPENDENCY_WITH_AN_ARGUMENT = """
async def audit_access(tasks: Tasks) -> None:
    await audit_log("access", tasks)


@app.post("/protected")
async def protected_endpoint(
    audit: None = Depends(audit_access)
) -> dict:
    return {"status": "ok"}
"""
DEPENDENCY_ON_A_QUERY = """
@app.post("/protected")
async def protected_endpoint(audit: None = Depends(audit_log)) -> dict:
    return {"status": "ok"}
"""


@pytest.mark.parametrize(
    ("endpoint", "query"),
    [(DEPENDENCY_WITH_AN_ARGUMENT, {}), (DEPENDENCY_ON_A_QUERY, {"action": "access"})],
    ids=["with an argument of its own", "with a query parameter"],
)
def test_scheduling_from_a_dependency(endpoint, query):
    page = page_with_app().speaking("log_action").run(DEPENDENCY).run(endpoint)

    with page.served() as served:
        assert served.post("/protected", params=query) == {"status": "ok"}
        record = served.records(1)["log_action"]

    assert page.said == ["log_action access", BEGINS, SENT]
    assert record.timing == "after_route"


SHARED_WITH_A_DEPENDENCY = '''
async def get_current_user(tasks: Tasks) -> dict:
    """Example authentication dependency that logs access"""
    user = {"id": 123, "name": "Alice"}

    tasks.after_route.schedule(log_auth_attempt, user["id"])

    return user


@app.get("/profile")
async def get_profile(
    user: dict = Depends(get_current_user),
    tasks: Tasks = Depends()
) -> dict:
    tasks.schedule(track_profile_view, user["id"])

    return user
'''


def test_a_dependency_and_its_endpoint_schedule_in_one_request():
    page = page_with_app().speaking("log_auth_attempt", "track_profile_view").run(SHARED_WITH_A_DEPENDENCY)

    with page.served() as served:
        assert served.get("/profile") == {"id": 123, "name": "Alice"}
        records = served.records(2)

    assert statuses(records) == {"log_auth_attempt": "success", "track_profile_view": "success"}
    assert page.said.index("log_auth_attempt 123") < page.said.index(BEGINS)
    assert page.said.count("track_profile_view 123") == 1


def test_every_way_to_ask_gives_the_same_object():
    app = FastAPI()
    add_tasks(app)
    seen: list[Tasks] = []

    async def by_annotation(tasks: Tasks) -> None:
        seen.append(tasks)

    def by_depends(tasks: Tasks = Depends()) -> None:  # noqa: B008 - the style under test
        seen.append(tasks)

    @app.get("/", dependencies=[Depends(by_annotation), Depends(by_depends)])
    async def endpoint(tasks: Tasks, again: Annotated[Tasks, Depends()]) -> None:
        seen.extend([tasks, again])

    with TestClient(app) as client:
        client.get("/")
        client.get("/")

    assert len(seen) == 8
    assert [len(set(map(id, seen[:4]))), len(set(map(id, seen[4:])))] == [1, 1]
    assert seen[0] is not seen[4]


DYNAMIC = """
async def send_sms(phone: str, message: str) -> None:
    print(f"SMS to {phone}: {message}")


async def send_email(email: str, subject: str, body: str) -> None:
    print(f"Email to {email}: {subject}")


@app.post("/notify")
async def notify_user(
    user_id: int,
    notification_type: str,
    tasks: Tasks
) -> dict:
    user = get_user(user_id)

    if user.get("sms_enabled") and notification_type in ["urgent", "all"]:
        tasks.schedule(send_sms, user["phone"], "You have a notification")

    if user.get("email_enabled"):
        tasks.schedule(
            send_email,
            user["email"],
            "Notification",
            "You have a new notification"
        )

    return {"status": "notifications scheduled"}
"""
USERS = {
    1: {"sms_enabled": True, "phone": "555", "email_enabled": True, "email": "ada@example.com"},
    2: {"email_enabled": True, "email": "bob@example.com"},
    3: {},
}


@pytest.mark.parametrize(
    ("user", "kind", "said"),
    [
        (1, "urgent", ["Email to ada@example.com: Notification", "SMS to 555: You have a notification"]),
        (1, "news", ["Email to ada@example.com: Notification"]),
        (2, "all", ["Email to bob@example.com: Notification"]),
        (3, "all", []),
    ],
    ids=["both", "not by sms", "no sms enabled", "nothing enabled"],
)
def test_tasks_are_chosen_by_condition(user, kind, said):
    page = page_with_app(get_user=USERS.__getitem__).run(DYNAMIC)

    with page.served() as served:
        answer = served.post("/notify", params={"user_id": user, "notification_type": kind})
        served.records(len(said))

    assert answer == {"status": "notifications scheduled"}
    assert sorted(line for line in page.said if line not in (BEGINS, SENT)) == said


FIRE_AND_FORGET = """
@app.post("/track")
async def track_event(event: str, tasks: Tasks) -> dict:
    tasks.schedule(send_to_analytics, event)
    return {"status": "ok"}
"""


def test_fire_and_forget():
    page = page_with_app().speaking("send_to_analytics").run(FIRE_AND_FORGET)

    with page.served() as served:
        assert served.post("/track", params={"event": "click"}) == {"status": "ok"}
        assert statuses(served.records(1)) == {"send_to_analytics": "success"}

    assert page.said.count("send_to_analytics click") == 1


CONCURRENT_PROCESSING = """
@app.post("/process")
async def process_upload(file_id: int, tasks: Tasks) -> dict:
    tasks.schedule(generate_thumbnail, file_id)
    tasks.schedule(scan_for_viruses, file_id)
    tasks.schedule(extract_metadata, file_id)
    tasks.schedule(update_search_index, file_id)

    return {"status": "processing"}
"""


def test_concurrent_processing():
    """Each of the four waits until all have begun: one after the other they would never end."""
    names = ["generate_thumbnail", "scan_for_viruses", "extract_metadata", "update_search_index"]
    begun: list[str] = []
    all_begun = anyio.Event()

    def meeting(name):
        async def work(file_id: int) -> None:
            begun.append(f"{name} {file_id}")
            if len(begun) == len(names):
                all_begun.set()
            await all_begun.wait()

        work.__name__ = name
        return work

    page = page_with_app(**{name: meeting(name) for name in names}).run(CONCURRENT_PROCESSING)

    with page.served() as served:
        assert served.post("/process", params={"file_id": 7}) == {"status": "processing"}
        assert statuses(served.records(4)) == dict.fromkeys(names, "success")

    assert sorted(begun) == sorted(f"{name} 7" for name in names)


STAGED_EXECUTION = """
@app.post("/order")
async def create_order(order_data: dict, tasks: Tasks) -> dict:
    order_id = save_order(order_data)

    tasks.schedule(process_payment, order_id)

    tasks.after_route.schedule(update_inventory, order_id)

    tasks.after_response.schedule(send_order_email, order_id)
    tasks.after_response.schedule(notify_warehouse, order_id)

    return {"order_id": order_id}
"""


def test_staged_execution():
    tasks = ["process_payment", "update_inventory", "send_order_email", "notify_warehouse"]
    page = page_with_app(save_order=lambda order: order["number"]).speaking(*tasks).run(STAGED_EXECUTION)

    with page.served() as served:
        assert served.post("/order", json={"number": 7}) == {"order_id": 7}
        assert statuses(served.records(4)) == dict.fromkeys(tasks, "success")

    begins, sent = page.said.index(BEGINS), page.said.index(SENT)
    assert page.said.index("update_inventory 7") < begins
    assert {"send_order_email 7", "notify_warehouse 7"} <= set(page.said[sent:])
    assert page.said.count("process_payment 7") == 1


CAPTURED_STATE = """
data = {"count": 0}

@app.post("/increment")
async def increment(tasks: Tasks) -> dict:
    data["count"] += 1
    tasks.schedule(log_count, data["count"])
    return {"count": data["count"]}
"""
PASSED_VALUE = """
data = {"count": 0}

@app.post("/increment")
async def increment(tasks: Tasks) -> dict:
    count = data["count"] + 1
    data["count"] = count
    tasks.schedule(log_count, count)
    return {"count": count}
"""


@pytest.mark.parametrize("sample", [CAPTURED_STATE, PASSED_VALUE], ids=["captured", "passed"])
def test_a_task_gets_the_value_of_its_own_request(sample):
    page = page_with_app().speaking("log_count").run(sample)

    with page.served() as served:
        assert [served.post("/increment")["count"] for _ in range(3)] == [1, 2, 3]
        served.records(3)

    assert sorted(line for line in page.said if line.startswith("log")) == ["log_count 1", "log_count 2", "log_count 3"]


FAILURES = """
tasks.schedule(might_fail)

tasks.task(on_error=handle_error).schedule(might_fail)
"""


def test_a_failure_is_logged_and_given_to_the_error_handler():
    handled = []

    async def might_fail() -> None:
        raise ValueError("it did")

    async def handle_error(task: Task, error: BaseException) -> None:
        handled.append((task, error))

    page = page_with_app(might_fail=might_fail, handle_error=handle_error)

    @page.app.post("/")
    async def endpoint(tasks: Tasks) -> None:
        page.names["tasks"] = tasks
        page.run(FAILURES)

    with captured_log("outlive.task") as lines, page.served() as served:
        served.post("/")
        record = served.records(2)["might_fail"]

    assert (record.status, record.error) == ("failed", "it did")
    assert [line.levelno for line in lines] == [logging.ERROR, logging.ERROR]
    ((task, error),) = handled
    assert (task.func, str(error)) == (might_fail, "it did")


def test_a_configuration_for_all_tasks_holds_unless_the_call_says_otherwise():
    handled = []
    handler: TaskErrorHandler = lambda task, error: handled.append("application")  # noqa: E731 - typed as documented

    async def might_fail() -> None:
        raise ValueError("it did")

    app = FastAPI()
    add_tasks(app, config=TaskConfig(on_error=handler, shield=True))
    seen: list[Task] = []

    @app.post("/")
    async def endpoint(tasks: Tasks) -> None:
        seen.append(tasks.schedule(might_fail))
        seen.append(tasks.task(on_error=lambda task, error: handled.append("call")).schedule(might_fail))

    with captured_log("outlive.task"), TestClient(app) as client:
        client.post("/")

    assert sorted(handled) == ["application", "call"]
    assert [task.config.shielded for task in seen] == [True, True]
