import logging

import pytest


@pytest.fixture(autouse=True)
def loggers_as_before():
    """What a page has attached to a logger is not there for the next one."""
    yield
    logging.getLogger("shop").handlers.clear()
