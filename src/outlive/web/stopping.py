"""Whether the server is about to stop, for answers that would otherwise keep it from stopping."""

import signal


def server_is_stopping() -> bool:
    """Whether the server whose handler takes SIGTERM in this process was told to stop.

    Uvicorn's handler is a method of the server, also where gunicorn is around it. Of other servers nothing is known.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))
