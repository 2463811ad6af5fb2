"""A process that forks while its manager runs."""

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from support import postgres, valkey

CHILD = Path(__file__).with_name("fork_child.py")


def seen(url):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(CHILD), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgres", "redis"])
def said(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fork")
    urls = {"memory": lambda: "memory://", "sqlite": lambda: f"sqlite:///{folder}/tasks.db"}
    urls["postgres"] = lambda: postgres.url_for(folder)
    urls["redis"] = lambda: f"{valkey.server_url()}?prefix={uuid4().hex}"
    return seen(urls[request.param]()) | {"kind": request.param}


def test_a_forked_child_does_not_act_as_its_parent(said):
    assert (said["is_started"], said["live"], said["leads"]) == (False, 0, False)
    for verb in ("enqueue", "enqueue_sync", "cancel", "cancel_fleeting"):
        assert said[verb].startswith("NotInitializedError: the task manager was started in process")
        assert "await manager.startup() here" in said[verb]

    # The parent goes on as if nothing had been.
    assert (said["result"], said["fleeting"], said["after"]) == ("parent", "fleeting", "after")
    assert said["ran"] == ["parent", "fleeting", "after"]
    assert said["parent"] == {"status": "success", "fence": 1, "is_owner": True}
    assert said["still_leads"]


def test_a_forked_child_starts_as_an_instance_of_its_own_or_says_why_it_cannot(said):
    if said["kind"] != "sqlite":
        assert (said["startup"], said["another"]) == ("", "")
        knows = [] if said["kind"] == "memory" else ["work"]  # the record that the parent runs
        assert said["own"] == {"is_another": True, "knows": knows, "result": "child"}
        assert said["ran_in_child"] == ["child"]
        return
    # What SQLite cannot do across a fork is refused before it can spoil the file.
    for verb in ("beat", "startup", "another"):
        assert said[verb].startswith("BackendError: ")
        assert "start the child by 'spawn'" in said[verb]
    assert said["ran_in_child"] == []
