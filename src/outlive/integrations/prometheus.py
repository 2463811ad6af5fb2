"""Metrics for Prometheus: what tasks of this process do, and what is in the backend."""

from collections.abc import Sequence

from fastapi import APIRouter, Response
from fastapi.params import Depends

from outlive.core.events import AttemptFailed, LifecycleEvent, RuntimeEvent
from outlive.core.states import TaskStatus
from outlive.errors import MissingExtraError
from outlive.manager import TaskManager
from outlive.observers.observer import TaskObserver

try:
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
except ImportError as error:
    raise MissingExtraError(
        'metrics need the library prometheus-client; install it with pip install "outlive[prometheus]"'
    ) from error

__all__ = ["PrometheusMetrics"]

#: Seconds; tasks take from milliseconds to hours.
BUCKETS = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)


class PrometheusMetrics(TaskObserver):
    """Counts what tasks do: `TaskManager(loggers=[metrics])`, `app.include_router(metrics.router(manager))`.

    `registry`: the registry of the application's own metrics, to serve all of them together; default a new one.
    Of this process: `outlive_tasks_total` by function, queue and status they ended in, `outlive_task_duration_seconds`,
    `outlive_task_failed_attempts_total`. Of the backend, read at each scrape and so the same from every process:
    `outlive_records` by status, `outlive_queue_pending`, `outlive_queue_running` and
    `outlive_queue_oldest_timestamp_seconds` by queue.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__()
        self.registry = CollectorRegistry() if registry is None else registry
        of_task = ["function", "queue"]
        self._ended = Counter(
            "outlive_tasks", "Tasks that have ended in this process", [*of_task, "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "outlive_task_duration_seconds",
            "How long the last attempts of tasks took",
            of_task,
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._failures = Counter(
            "outlive_task_failed_attempts", "Attempts that raised", ["function"], registry=self.registry
        )
        self._records = Gauge("outlive_records", "Records in the backend", ["status"], registry=self.registry)
        self._pending = Gauge("outlive_queue_pending", "Tasks that wait", ["queue"], registry=self.registry)
        self._running = Gauge("outlive_queue_running", "Tasks that run", ["queue"], registry=self.registry)
        self._oldest = Gauge(
            "outlive_queue_oldest_timestamp_seconds",
            "When the oldest task that waits was accepted",
            ["queue"],
            registry=self.registry,
        )

    async def on_lifecycle(self, event: LifecycleEvent) -> None:
        """Count an end."""
        if event.status is TaskStatus.RUNNING:
            return
        self._ended.labels(event.func_name, event.queue, event.status.value).inc()
        if event.duration is not None:
            self._seconds.labels(event.func_name, event.queue).observe(event.duration)

    async def on_event(self, event: RuntimeEvent) -> None:
        """Count a failure."""
        if isinstance(event, AttemptFailed):
            self._failures.labels(event.func_name).inc()

    def router(
        self, manager: TaskManager, path: str = "/metrics", *, dependencies: Sequence[Depends] | None = None
    ) -> APIRouter:
        """Serves the registry; `dependencies` guard it."""
        router = APIRouter(dependencies=dependencies)

        async def metrics() -> Response:
            await self._look(manager)
            return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

        router.add_api_route(path, metrics, include_in_schema=False)
        return router

    async def _look(self, manager: TaskManager) -> None:
        counts, queues = await manager.counts(), await manager.queues()
        for status, count in counts.items():
            self._records.labels(status.value).set(count)
        for gauge in (self._pending, self._running, self._oldest):
            gauge.clear()  # a queue that nobody declares is gone when it is empty
        for queue in queues:
            self._pending.labels(queue.name).set(queue.pending)
            self._running.labels(queue.name).set(queue.running)
            if queue.oldest_at is not None:
                self._oldest.labels(queue.name).set(queue.oldest_at)
