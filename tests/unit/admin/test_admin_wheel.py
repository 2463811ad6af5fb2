"""What is built to be installed has every file of the dashboard in it."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ADMIN = ROOT / "src" / "outlive" / "admin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("outlive-*.whl")
    return built


@pytest.mark.parametrize("folder", ["templates", "static"])
def test_the_wheel_has_every_file_of_the_dashboard(wheel, folder):
    files = {path for path in (ADMIN / folder).rglob("*") if path.is_file()}
    assert len(files) > 5
    with zipfile.ZipFile(wheel) as built:
        prefix = f"outlive/admin/{folder}/"
        packed = {name: _digest(built.read(name)) for name in built.namelist() if name.startswith(prefix)}
    assert packed == {
        f"outlive/admin/{path.relative_to(ADMIN).as_posix()}": _digest(path.read_bytes()) for path in files
    }


def test_the_licences_of_what_others_wrote_come_along(wheel):
    with zipfile.ZipFile(wheel) as built:
        packed = {Path(name).name for name in built.namelist() if ".dist-info/licenses/" in name}
    assert packed >= {"LICENSE", *(path.name for path in ADMIN.glob("static/vendor/*.LICENSE.txt"))}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


LOOK = """
import re
import sys
import outlive
from fastapi import FastAPI
from fastapi.testclient import TestClient
assert outlive.__file__.startswith(sys.argv[1]), outlive.__file__
app = FastAPI()
outlive.TaskAdmin(app, outlive.TaskManager())
with TestClient(app) as client:
    page = client.get("/tasks/dashboard").text
    named = re.findall(r'<(?:link|script|img)[^>]+(?:href|src)="([^"]+)"', page)
    print(len(named), {client.get(name).status_code for name in named}, all(name.startswith("/") for name in named))
"""


def test_a_dashboard_out_of_the_wheel_is_complete(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as built:
        built.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOOK, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, answers = done.stdout.split(maxsplit=1)
    assert int(count) > 5
    assert answers.strip() == "{200} True"
