"""Metrics for Prometheus."""

import importlib
import json
import re
import sys

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families
from support.waiting import until_sync
from typer.testing import CliRunner

from outlive import TaskManager, TaskStatus
from outlive.cli.app import app as command_line
from outlive.integrations import prometheus
from outlive.integrations.prometheus import PrometheusMetrics


async def work(*, fails: bool = False) -> None:
    if fails:
        raise ValueError("no")


def served(metrics: PrometheusMetrics, **options: object) -> FastAPI:
    manager, app = TaskManager(loggers=[metrics]), FastAPI()
    manager.init_app(app)
    app.include_router(metrics.router(manager, **options))  # type: ignore[arg-type]

    @app.post("/")
    async def endpoint(queue: str = "default", retries: int = 0, run_in: float = 0, *, fails: bool = False) -> None:
        await manager.using(queue=queue, retries=retries, run_in=run_in).enqueue(work, fails=fails)

    return app


def scraped(client: TestClient) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels, in the order of the labels' names."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    samples = (one for family in families for one in family.samples)
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}


def test_what_has_ended_is_counted_and_measured():
    with TestClient(served(PrometheusMetrics())) as client:
        client.post("/")
        client.post("/?queue=mails")
        client.post("/?fails=true&retries=1")
        until_sync(lambda: scraped(client).get(("outlive_tasks_total", "work", "default", "failed")))
        until_sync(lambda: scraped(client).get(("outlive_task_failed_attempts_total", "work")) == 2)
        samples = scraped(client)

    assert samples["outlive_tasks_total", "work", "default", "success"] == 1
    assert samples["outlive_tasks_total", "work", "mails", "success"] == 1
    assert samples["outlive_task_duration_seconds_count", "work", "default"] == 2
    assert samples["outlive_task_duration_seconds_bucket", "work", "+Inf", "mails"] == 1
    assert samples["outlive_records", "success"] == 2
    assert samples["outlive_records", "failed"] == 1


def test_queues_show_what_waits_and_are_gone_when_it_is_gone():
    with TestClient(served(PrometheusMetrics())) as client:
        client.post("/?queue=mails&run_in=500")
        samples = scraped(client)
        assert samples["outlive_queue_pending", "mails"] == 1
        assert samples["outlive_queue_running", "mails"] == 0
        assert samples["outlive_queue_oldest_timestamp_seconds", "mails"] > 1e9


def test_the_registry_of_the_application_is_served_together():
    registry = CollectorRegistry()
    Counter("orders", "Orders", registry=registry).inc()
    with TestClient(served(PrometheusMetrics(registry))) as client:
        assert scraped(client)["orders_total",] == 1


def test_dependencies_guard_it():
    def refuse() -> None:
        raise HTTPException(401)

    with TestClient(served(PrometheusMetrics(), dependencies=[Depends(refuse)])) as client:
        assert client.get("/metrics").status_code == 401


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    try:
        with pytest.raises(ImportError, match=r"outlive\[prometheus\]"):
            importlib.reload(prometheus)
    finally:
        monkeypatch.undo()
        importlib.reload(prometheus)


NAME, MATCHERS = r"outlive_\w+", r"(outlive_\w+)(?:\{([^}]*)\})?"


def queries(board):
    yield from (target["expr"] for panel in board["panels"] for target in panel["targets"])
    yield from (one["definition"] for one in board["templating"]["list"] if "definition" in one)


def test_the_board_asks_for_metrics_and_labels_that_are_served():
    board = json.loads(CliRunner().invoke(command_line, ["grafana"]).output)
    with TestClient(served(PrometheusMetrics())) as client:
        client.post("/?queue=mail&fails=true")
        client.post("/?queue=mail&run_in=60")
        until_sync(lambda: "outlive_task_failed_attempts_total{" in client.get("/metrics").text)
        families = list(text_string_to_metric_families(client.get("/metrics").text))
    labels = {sample.name: {*sample.labels} for family in families for sample in family.samples}

    asked = [(name, matchers) for query in queries(board) for name, matchers in re.findall(MATCHERS, query)]
    assert {name for name, _ in asked} <= {*labels}
    for name, matchers in asked:
        assert {*re.findall(r"(\w+)=~?", matchers)} <= labels[name]
    for query in queries(board):
        used = {label.strip() for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(",")}
        assert used <= set().union(*(labels[name] for name in re.findall(NAME, query)))
    statuses = {status for query in queries(board) for status in re.findall(r'status="(\w+)"', query)}
    assert statuses <= {*TaskStatus}


def test_every_metric_that_is_served_is_on_the_board():
    board = json.loads(CliRunner().invoke(command_line, ["grafana"]).output)
    families = {family.name for family in PrometheusMetrics().registry.collect()}
    on_board = {name for query in queries(board) for name in re.findall(NAME, query)}
    assert {name for name in families if not any(one.startswith(name) for one in on_board)} == set()
