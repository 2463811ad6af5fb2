"""Turns the runtime's events into lines of the standard `logging`: the only place that formats them."""

import logging

from outlive.core import events
from outlive.errors import BackendUnavailableError

_task = logging.getLogger("outlive.task")
_runtime = logging.getLogger("outlive")


def log_event(event: events.RuntimeEvent) -> None:
    """Write one line for an event. Arguments of tasks never appear in it."""
    match event:
        case events.AttemptFailed():
            _log_failure(event)
        case events.ErrorHandlerFailed(task_id, func_name, error):
            _task.error("on_error handler of task %s (%s) raised", task_id, func_name, exc_info=error)
        case events.AttemptOverran(task_id, func_name, timeout):
            message = "task %s (%s) is over its timeout of %g s; a thread cannot be killed, so its attempt goes on"
            _task.warning(message, task_id, func_name, timeout)
        case events.LeaseLost(task_id, func_name):
            _task.warning("task %s (%s) is no longer this instance's; what it did is not recorded", task_id, func_name)
        case events.CannotRun(task_id, func, reason):
            _task.warning("task %s (%s) stays pending: %s", task_id, func, reason)
        case events.NotRepeated(task_id, func_name, reason):
            _task.error("task %s (%s) is interrupted: %s", task_id, func_name, reason)
        case _:
            _log_runtime(event)


def _log_runtime(event: events.RuntimeEvent) -> None:
    match event:
        case events.InstanceRescued(instance, requeued, interrupted):
            message = "instance %s died: %d of its tasks are pending again, %d are interrupted"
            _runtime.warning(message, instance, requeued, interrupted)
        case events.BackendTrouble(error, waiting):
            _runtime.error("the backend refuses writes (%d are held and tried again): %s", waiting, error)
        case events.BackendRecovered():
            _runtime.info("the backend takes writes again")
        case events.SlotsMissed(schedule, missed, reason):
            _runtime.warning("schedule %s missed %d: %s", schedule, missed, reason)
        case events.TurnSkipped(interval, reason):
            _runtime.debug("interval %s skipped: %s", interval, reason)
        case events.TurnLost(interval, error):
            _runtime.warning("interval %s lost its turn while it ran, and its run was cancelled: %s", interval, error)
        case events.ScheduleFailed(schedule, BackendUnavailableError() as error):
            # All schedules and every second say so while the backend is away: no trace of each.
            _runtime.error("schedule %s could not be fired and is tried again: %s", schedule, error)
        case events.ScheduleFailed(schedule, error):
            _runtime.error("schedule %s could not be fired and is tried again", schedule, exc_info=error)
        case events.ServiceFailed(service, error):
            _runtime.error("%s failed and goes on", service, exc_info=error)
        case _:
            _log_observer(event)


def _log_observer(event: events.RuntimeEvent) -> None:
    match event:
        case events.EventsDropped(observer, count):
            _runtime.warning("observer %s is behind and is not told of %d events", observer, count)
        case events.ObserverFailed(observer, during, error):
            _runtime.error("observer %s raised on %s", observer, during, exc_info=error)
        case _:
            pass


def _log_failure(event: events.AttemptFailed) -> None:
    name = f"{event.func_name} [{event.label}]" if event.label else event.func_name
    if event.will_retry_in is None:
        _task.error("task %s (%s) failed in attempt %d", event.task_id, name, event.attempt, exc_info=event.error)
        return
    message = "task %s (%s) failed in attempt %d and is retried in %g s: %s"
    _task.warning(message, event.task_id, name, event.attempt, round(event.will_retry_in, 3), event.error)
