"""The code in the README and in the docs is run as it stands."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from outlive import TaskStatus

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _run(page: Path) -> dict:
    namespace: dict = {"__name__": f"page_{page.stem}"}
    for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1):
        exec(compile(block, f"{page.name}, block {number}", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("page", [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))], ids=str)
def test_every_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _run(page)


def test_the_readme_application_does_what_the_readme_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = _run(ROOT / "README.md")

    with TestClient(page["app"]) as client:
        answer = client.post("/signup", params={"email": "ada@example.com"}).json()
        for path in ("/a", "/b", "/c"):
            assert client.post(path).status_code == 200
        assert client.post("/orders/7").status_code == 200
        assert client.portal is not None
        client.portal.call(page["nightly"])
        record = client.get(f"/tasks/{answer['task_id']}").json()
        everything = client.get("/tasks").json()

    assert record["status"] == TaskStatus.SUCCESS
    assert "sending to ada@example.com" in record["logs"][0]
    assert len(everything) == 8
    with closing(sqlite3.connect("orders.db")) as orders:
        assert orders.execute("select * from booked").fetchall() == [(7,)]
