"""The code in the README and in the docs is run as it stands."""

import ast
import re

import pytest
from fastapi.testclient import TestClient
from support.pages import PAGES, ROOT, blocks, run_page
from support.waiting import until_sync

from outlive import TaskStatus

#: Its files import each other, and pytest runs them: see test_pages.
OF_FILES = {ROOT / "docs/testing.md"}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python") and page not in OF_FILES], ids=str)
def test_every_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(page)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "py")], ids=str)
def test_the_code_of_other_libraries_is_python(page):
    for block in blocks(page, "py"):
        ast.parse(block.text)


@pytest.mark.parametrize("page", [page for page in PAGES if "::test_" in page.read_text(encoding="utf-8")], ids=str)
def test_a_test_that_a_page_names_is_there(page):
    for file, name in re.findall(r"(tests/[\w/]+\.py)::(test_\w+)", page.read_text(encoding="utf-8")):
        assert re.search(rf"def {name}\(", (ROOT / file).read_text(encoding="utf-8")), f"{file}::{name}"


def test_the_readme_application_does_what_the_readme_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = run_page("README.md")

    with TestClient(page["app"]) as client:
        answer = client.post("/signup", params={"email": "ada@example.com"}).json()

        def record():
            return client.get(f"/tasks/{answer['task_id']}").json()

        until_sync(lambda: record()["status"] == TaskStatus.SUCCESS)
        assert "sending to ada@example.com" in record()["logs"][0]
