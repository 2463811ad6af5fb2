"""What is kept of an exception."""

import traceback

from outlive.core.settle import Failed
from outlive.core.text import storable


def failed(error: BaseException) -> Failed:
    """The outcome of a body that raised."""
    trace = "".join(traceback.format_exception(error))
    return Failed(error, storable(_message(error) or type(error).__name__), storable(trace))


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is still the task's failure
        return ""


def timed_out(seconds: float) -> Failed:
    """The outcome of an attempt that went past its timeout."""
    return failed(TimeoutError(f"the attempt took longer than its timeout of {seconds:g} s"))
