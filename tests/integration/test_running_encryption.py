"""Arguments are stored in a form that only the key can read."""

import base64
import json
import pickle
import sys
from datetime import datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from fastapi import FastAPI
from fastapi.testclient import TestClient
from support import process_bodies as bodies
from support.waiting import ended, record_of, until
from uuid_utils import uuid7

from outlive import ConfigError, OutliveError, TaskAdmin, TaskManager, TaskStatus
from outlive.core.cipher import SEALED
from outlive.core.events import CannotRun
from outlive.core.moves import Enqueue
from outlive.definitions.encryption import FernetCipher

OLD, NEW, OTHER = (Fernet.generate_key() for _ in range(3))
SECRET = "4111-1111"


def declare(manager: TaskManager, got: list[Any], **options: Any) -> Any:
    @manager.task(name="charge", **options)
    async def charge(card: str, *, tries: int = 1) -> None:
        got.append((card, tries))
        if options and len(got) == 1:
            raise ValueError("declined")

    return charge


async def test_the_task_gets_its_arguments_and_the_backend_only_ciphertext(backend_url):
    manager, got = TaskManager(backend_url, encrypt_args_key=NEW), list[Any]()
    charge = declare(manager, got)
    async with manager:
        task = await manager.enqueue(charge, SECRET, tries=2)
        record = await ended(manager, task.id)

    assert got == [(SECRET, 2)]
    assert (task.args, task.kwargs) == ((SECRET,), {"tries": 2})
    assert record.arguments is not None
    assert SECRET not in record.arguments
    assert record.is_encrypted
    assert record.summary == "(str, tries=int)"


async def test_nothing_of_them_is_in_the_files(tmp_path):
    manager, got = TaskManager(f"sqlite:///{tmp_path}/tasks.db", encrypt_args_key=NEW), list[Any]()
    charge = declare(manager, got)
    async with manager:
        await ended(manager, (await manager.enqueue(charge, SECRET)).id)
        waits = await manager.using(run_in=1000).enqueue(charge, SECRET)
        assert (await record_of(manager, waits.id)).status is TaskStatus.PENDING
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())

    assert b"charge" in stored
    assert SECRET.encode() not in stored


async def test_a_recovered_run_reads_them(shared):
    first, got = shared.instance(encrypt_args_key=NEW), list[Any]()
    async with first:
        task = await first.using(run_in=5).enqueue(declare(first, got), SECRET)
    second = shared.instance(encrypt_args_key=NEW)
    declare(second, got)
    shared.clock.advance(5)
    async with second:
        await ended(second, task.id)

    assert got == [(SECRET, 1)]


async def test_a_retry_and_a_requeue_read_them(backend_url):
    manager, got = TaskManager(backend_url, encrypt_args_key=NEW), list[Any]()
    charge = declare(manager, got, retries=1)
    async with manager:
        task = await manager.enqueue(charge, SECRET)
        assert (await ended(manager, task.id)).retries_used == 1
        del task
        [record] = await manager.find()
        await manager.requeue(record.id)
        await ended(manager, record.id)

    assert got == [(SECRET, 1)] * 3


async def test_a_planned_run_reads_them(shared):
    manager, got = shared.instance(encrypt_args_key=NEW), list[Any]()
    charge = declare(manager, got)
    async with manager:
        at = datetime.fromtimestamp(shared.clock.now() + 5).astimezone()
        task_id = (await manager.schedule_once(charge, SECRET, run_at=at, run_key="k")).id
        [planned] = await manager.list_scheduled()
        assert planned.args == (SECRET,)
        assert (await record_of(manager, task_id)).is_encrypted
        shared.clock.advance(6)
        await ended(manager, task_id)

    assert got == [(SECRET, 1)]


async def test_a_function_in_a_process_gets_them(backend_url):
    manager = TaskManager(backend_url, encrypt_args_key=NEW, max_process_workers=1)
    manager.task(executor="process")(bodies.add)
    async with manager:
        task = await manager.enqueue(bodies.add, 1, 2)
        assert await task.result() == 3
        assert (await record_of(manager, task.id)).is_encrypted


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        pytest.param(OTHER, "none of the keys", id="another-key"),
        pytest.param([OTHER, OLD], "none of the keys", id="other-keys"),
        pytest.param(None, "give the manager the key", id="no-key"),
    ],
)
async def test_with_another_key_a_record_waits_and_says_so_and_with_the_right_one_it_runs(shared, key, reason):
    got: list[Any] = []
    first = shared.instance(encrypt_args_key=NEW)
    async with first:
        task = await first.using(run_in=5).enqueue(declare(first, got), SECRET)
    shared.clock.advance(5)

    wrong = shared.instance(encrypt_args_key=key)
    declare(wrong, got)
    async with wrong:
        await until(lambda: shared.happened(CannotRun))

        async def explained() -> Any:
            record = await record_of(wrong, task.id)
            return record if record.reason else None

        record = await until(explained)
    assert record.status is TaskStatus.PENDING
    assert reason in str(record.reason)
    assert "cannot be read" in str(record.reason)

    right = shared.instance(encrypt_args_key=NEW)
    declare(right, got)
    async with right:
        await ended(right, task.id)
    assert got == [(SECRET, 1)]


async def test_what_was_stored_in_plain_text_runs_too(shared):
    got: list[Any] = []
    first = shared.instance()
    async with first:
        task = await first.using(run_in=5).enqueue(declare(first, got), SECRET)
    shared.clock.advance(5)

    second = shared.instance(encrypt_args_key=NEW)
    declare(second, got)
    async with second:
        await ended(second, task.id)
    assert got == [(SECRET, 1)]


async def test_keys_are_rotated(shared):
    got: list[Any] = []
    ids = []
    for key in (None, OLD, OTHER):
        manager = shared.instance(encrypt_args_key=key)
        async with manager:
            ids.append((await manager.using(run_in=500).enqueue(declare(manager, got), SECRET)).id)

    both = shared.instance(encrypt_args_key=[NEW, OLD])
    declare(both, got)
    async with both:
        rotation = await both.rotate_keys()
        assert (rotation.seen, rotation.rewritten, list(rotation.unreadable)) == (3, 2, [ids[2]])
        assert (await both.rotate_keys()).rewritten == 0

    new = shared.instance(encrypt_args_key=NEW)
    declare(new, got)
    shared.clock.advance(501)
    async with new:
        for task_id in ids[:2]:
            await ended(new, task_id)
        assert (await record_of(new, ids[2])).status is TaskStatus.PENDING
    assert got == [(SECRET, 1)] * 2


class Planted:
    """What a pickle of calls when it is read."""

    opened = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (open_planted, ())


def open_planted() -> str:
    Planted.opened = True
    return "opened"


@pytest.mark.parametrize("form", ["bytes", "text", "argument"])
async def test_who_has_the_key_and_the_backend_can_plant_no_code(shared, form):
    pickled = pickle.dumps(Planted())
    assert pickle.loads(pickled) == "opened"
    Planted.opened = False
    text = base64.b64encode(pickled).decode()
    payload = {"bytes": pickled, "text": text.encode(), "argument": json.dumps({"card": text}).encode()}[form]
    stored = SEALED + Fernet(NEW).encrypt(payload).decode()
    good = FernetCipher([NEW]).seal(json.dumps({"card": SECRET}))
    now, ids = shared.clock.now(), [str(uuid7()) for _ in range(2)]
    async with shared.instance() as there:
        moves = [
            Enqueue(one, "charge", "charge", now, now, arguments=what)
            for one, what in zip(ids, (stored, good), strict=True)
        ]
        assert all(await there.backend.apply(moves))

    manager, got = shared.instance(encrypt_args_key=NEW), list[Any]()
    declare(manager, got)
    async with manager:
        await until(lambda: has_looked(manager, ids[0]))
        await ended(manager, ids[1])  # what was planted stops nothing else
    assert not Planted.opened
    assert got == [*([(text, 1)] if form == "argument" else []), (SECRET, 1)]


async def has_looked(manager: TaskManager, task_id: str) -> bool:
    """Whether the manager has run the task, or said why it cannot."""
    record = await record_of(manager, task_id)
    return record.is_final or record.reason is not None


async def test_rotation_needs_a_key(manager):
    async with manager:
        with pytest.raises(ConfigError, match="encrypt_args_key"):
            await manager.rotate_keys()


def test_the_manager_shows_what_encrypts():
    assert TaskManager().fernet is None
    one = TaskManager(encrypt_args_key=NEW.decode()).fernet
    assert isinstance(one, Fernet)
    assert one.decrypt(Fernet(NEW).encrypt(b"x")) == b"x"
    assert isinstance(TaskManager(encrypt_args_key=[NEW, OLD.decode()]).fernet, MultiFernet)


@pytest.mark.parametrize("key", ["secret", b"", NEW[:-5], [NEW, "broken"], [], 5])
def test_a_malformed_key_is_refused_at_once_and_not_repeated(key):
    with pytest.raises((ConfigError, TypeError)) as refused:
        TaskManager(encrypt_args_key=key)
    assert "secret" not in str(refused.value)
    assert "broken" not in str(refused.value)


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(ImportError, match=r"outlive\[encryption\]") as refused:
        TaskManager(encrypt_args_key=NEW)
    assert isinstance(refused.value, OutliveError)


def test_pages_and_api_never_show_ciphertext():
    manager, app, got = TaskManager(encrypt_args_key=NEW), FastAPI(), list[Any]()
    charge = declare(manager, got)
    TaskAdmin(app, manager, display_func_args=True)

    @app.post("/")
    async def endpoint() -> str:
        return (await manager.using(run_in=500).enqueue(charge, SECRET)).id

    with TestClient(app) as client:
        task_id = client.post("/").json()
        texts = [client.get(f"/tasks{path}").text for path in ("", f"/{task_id}", "?q=arg.card:4111*")]
        texts.append(client.get(f"/tasks/dashboard/tasks/{task_id}").text)

    for text in texts:
        assert SECRET not in text
        assert "fernet:" not in text
    assert '"arguments":"(str)"' in texts[1]
