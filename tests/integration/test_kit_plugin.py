"""The fixtures for pytest, as another project's tests get them."""

import os
import subprocess
import sys

APPLICATION = """
from fastapi import FastAPI
from outlive import TaskManager, Tasks

manager = TaskManager("sqlite:///never.db")
app = FastAPI()
manager.init_app(app)

@manager.task()
async def send(to: str) -> int:
    return len(to)

@app.post("/")
async def endpoint(to: str, tasks: Tasks) -> None:
    tasks.after_response.schedule(send, to)
"""
CONFTEST = """
import pytest
from application import manager

@pytest.fixture
def task_manager():
    return manager
"""
TESTS = """
import pytest
from fastapi.testclient import TestClient
from application import app, send

def test_recorded(recorded_tasks):
    with TestClient(app) as client:
        client.post("/", params={"to": "ada"})
        assert recorded_tasks.assert_enqueued(send, to="ada").status == "pending"

def test_inline(inline_tasks):
    with TestClient(app) as client:
        client.post("/", params={"to": "ada"})
        assert inline_tasks.assert_enqueued(send, to="ada").status == "success"

def test_real(real_tasks):
    with TestClient(app) as client:
        client.post("/", params={"to": "ada"})
        real_tasks.drain_sync()
        assert real_tasks.assert_enqueued(send, to="ada").status == "success"
"""


def run_pytest(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_outlive", "-p", "no:cacheprovider", "--rootdir=."]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True, timeout=50, check=False)


def test_its_fixtures_give_each_mode(tmp_path):
    said = run_pytest(tmp_path, application=APPLICATION, conftest=CONFTEST, test_it=TESTS).stdout
    assert "3 passed" in said, said
    assert not (tmp_path / "never.db").exists()


def test_they_say_what_they_need(tmp_path):
    said = run_pytest(tmp_path, application=APPLICATION, test_it=TESTS).stdout
    assert "define a fixture named task_manager in conftest.py" in said, said


def test_the_plugin_loads_nothing_heavy():
    loaded = "import sys, pytest_outlive; print(*sorted({'outlive', 'fastapi', 'pydantic'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=50, check=True)
    assert said.stdout.strip() == ""
