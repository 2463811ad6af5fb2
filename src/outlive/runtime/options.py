"""The options of a manager that concern what surrounds its tasks, as keyword arguments."""

from dataclasses import dataclass, fields
from typing import Any, cast

from outlive.core.config import TaskOptions
from outlive.definitions.encryption import EncryptionKeys


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is told of tasks, what is kept of them, and how."""

    #: A Fernet key that encrypts stored arguments and results, or a list of which the first encrypts and all decrypt.
    encrypt_args_key: EncryptionKeys | None = None


class ManagerOptions(TaskOptions, total=False):
    """The options of `Surroundings` and `TaskConfig` as keyword arguments; a test holds them together."""

    encrypt_args_key: EncryptionKeys | None


_NAMES = frozenset(field.name for field in fields(Surroundings))


def split_options(options: ManagerOptions) -> tuple[Surroundings, TaskOptions]:
    """The surroundings, and the options that are defaults for all tasks."""
    given: dict[str, Any] = dict(options)
    ours = {name: given.pop(name) for name in _NAMES & given.keys()}
    return Surroundings(**ours), cast("TaskOptions", given)
