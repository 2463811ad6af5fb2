"""Fixtures for the tests of applications that use outlive; imports nothing of it before one of them is used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from outlive import TaskManager
    from outlive.testing import TaskKit


@pytest.fixture
def task_manager() -> "TaskManager":
    """The manager of the application; to be defined by its tests."""
    raise pytest.UsageError(
        "the fixtures of outlive need to know the manager: define a fixture named task_manager in conftest.py that "
        "returns the TaskManager of the application"
    )


@pytest.fixture
def recorded_tasks(task_manager: "TaskManager") -> "Iterator[TaskKit]":
    """Tasks are accepted and wait until the test lets them run (`drain`)."""
    from outlive.testing import rehearse  # noqa: PLC0415 - a plugin is loaded in every test run of its environment

    with rehearse(task_manager, "recorded") as kit:
        yield kit


@pytest.fixture
def inline_tasks(task_manager: "TaskManager") -> "Iterator[TaskKit]":
    """Tasks are done when the response returns to the test."""
    from outlive.testing import rehearse  # noqa: PLC0415

    with rehearse(task_manager, "inline") as kit:
        yield kit


@pytest.fixture
def real_tasks(task_manager: "TaskManager") -> "Iterator[TaskKit]":
    """Tasks run as in production, beside the test."""
    from outlive.testing import rehearse  # noqa: PLC0415

    with rehearse(task_manager, "real") as kit:
        yield kit
