"""What surrounds the tasks of a manager: the keys of what is stored, and who is told of them."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from outlive.core.config import TaskOptions, config_of
from outlive.core.events import RuntimeEvent
from outlive.definitions.encryption import EncryptionKeys, FernetCipher, cipher_for
from outlive.errors import ConfigError
from outlive.observers.file import BACKUP_COUNT, MAX_BYTES, FileLogger
from outlive.observers.log import log_event
from outlive.observers.observer import FunctionObserver
from outlive.ports import InstanceState, Observer, Tracer
from outlive.runtime.logger_chain import LoggerChain
from outlive.runtime.rotation import Rotation, rotate
from outlive.runtime.runtime import Runtime
from outlive.runtime.traced import Tracing
from outlive.schedules import Schedules

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

#: An observer, or a function that takes any event.
Logger = Observer | Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is told of tasks, what is kept of them, and how."""

    #: A Fernet key that encrypts stored arguments and results, or a list of which the first encrypts and all decrypt.
    encrypt_args_key: EncryptionKeys | None = None
    #: Who is told what tasks log and how they get on.
    loggers: Sequence[Logger] | None = None
    #: A file for what tasks log, short for a `FileLogger`; the next four are its options.
    log_file: str | Path | None = None
    log_file_max_bytes: int = MAX_BYTES
    log_file_backup_count: int = BACKUP_COUNT
    log_file_mode: str = "rotate"
    log_lifecycle: bool = False
    #: Follows runs from those who ask for them to their attempts: `OpenTelemetryTracer()`.
    tracer: Tracer | None = None
    #: Bytes of what is stored of a result; of a larger one only its type is kept, with 0 of all.
    max_result_size: int = 64 * 1024
    #: Days that ended records are kept, interrupted ones excepted, which stay; on a definition its own.
    retention_days: float | None = None
    #: Days that records are kept which ended in some status, like `{"failed": 90, "success": 1}`.
    retention: Mapping[str, float] | None = None
    #: Days that is kept what people did by the admin; None keeps it for ever.
    audit_days: float | None = 365.0


class ManagerOptions(TaskOptions, total=False):
    """The options of `Surroundings` and `TaskConfig` as keyword arguments; a test holds them together."""

    encrypt_args_key: EncryptionKeys | None
    loggers: Sequence[Logger] | None
    log_file: str | Path | None
    log_file_max_bytes: int
    log_file_backup_count: int
    log_file_mode: str
    log_lifecycle: bool
    tracer: Tracer | None
    max_result_size: int
    retention: Mapping[str, float] | None
    audit_days: float | None


_NAMES = frozenset(field.name for field in fields(Surroundings))


def split_options(options: ManagerOptions) -> tuple[Surroundings, TaskOptions]:
    """The surroundings, and the options that are defaults for all tasks."""
    given: dict[str, Any] = dict(options)
    ours = {name: given.pop(name) for name in _NAMES & given.keys()}
    return Surroundings(**ours), cast("TaskOptions", given)


def given_options(
    init: Callable[..., None], values: Mapping[str, Any], options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What is given to a constructor other than its defaults: of the `values` of its parameters, and its `options`."""
    usual = inspect.signature(init).parameters
    given = {name: values[name] for name, one in usual.items() if one.default is not inspect.Parameter.empty}
    return {name: value for name, value in given.items() if value != usual[name].default} | dict(options)


class Operations(Schedules):
    """Is made as the environment says, encrypts what is stored, and tells observers."""

    #: The options that were given, and those of them that came from the environment; `outlive config` shows them.
    given: Mapping[str, Any]
    given_by_environment: frozenset[str] = frozenset()

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """A manager with these options and those of `OUTLIVE_*` environment variables, which win over the former.

        Every option that can be written as text has a variable: `OUTLIVE_BACKEND`, `OUTLIVE_RETRIES`; see `Settings`.
        Raises `ConfigError` for a variable that is unknown or makes no sense.
        """
        from outlive.settings import options_from_environment  # noqa: PLC0415 - its library loads slowly

        found = options_from_environment()
        manager = cls(**options | found)
        manager.given_by_environment = frozenset(found)
        return manager

    def __init__(self, options: ManagerOptions) -> None:
        self._surroundings, defaults = split_options(options)
        super().__init__(config_of(defaults), cipher=cipher_for(self._surroundings.encrypt_args_key))
        observers = _observers(self._surroundings)
        # Troubles of observers go to the log alone: one that raises on every event would be told of each.
        self._chain = LoggerChain(observers, log_event) if observers else None
        tracer = self._surroundings.tracer
        self._tracing = None if tracer is None else Tracing(tracer, self._emit)

    # -- observers -------------------------------------------------------------------------------

    @property
    def logger(self) -> LoggerChain | None:
        """The observers, None without `loggers` and `log_file`."""
        return self._chain

    async def _start_observed(self, runtime: Runtime) -> None:
        if self._chain is not None:
            await self._chain.startup()
        try:
            await runtime.start()
        except BaseException:
            await self._close_observers()
            raise

    async def _close_observers(self) -> None:
        if self._chain is not None:
            await self._chain.close()

    def _emit(self, event: RuntimeEvent) -> None:
        log_event(event)
        if self._chain is not None:
            self._chain.tell(event)

    # -- instances -------------------------------------------------------------------------------

    async def instances(self) -> list[InstanceState]:
        """The processes that run this application's tasks, dead or alive: what each is, and its last sign of life."""
        return list(await self.runtime.backend.instances())

    async def drain_instance(self, instance: str) -> bool:
        """Ask an instance, by its id, to take no new work; False where it was asked already, or there is none.

        It finishes what it runs, gives back what waits in it, accepts what its requests schedule for the others, and
        fires no schedule. What only it can run it still runs: tasks that are not stored or not declared,
        `after_route`, and intervals whose runs hold a lock. A leadership goes to an instance that waits for it.
        """
        return await self.runtime.duty.ask(instance, draining=True)

    async def resume_instance(self, instance: str) -> bool:
        """Let an instance take work again; False where it does."""
        return await self.runtime.duty.ask(instance, draining=False)

    # -- keys ------------------------------------------------------------------------------------

    @property
    def fernet(self) -> "Fernet | MultiFernet | None":
        """What encrypts the arguments and results of tasks, None without `encrypt_args_key`."""
        cipher = self.registry.cipher
        return cipher.fernet if isinstance(cipher, FernetCipher) else None

    async def rotate_keys(self, seen_so_far: Callable[[int], None] = lambda _: None) -> Rotation:
        """Write all stored arguments and results under the first of the keys, also what was stored in plain text.

        Once it leaves nothing `unreadable`, the other keys can go. Instances may run meanwhile, and it may be repeated.
        `seen_so_far` is told now and then how many records were looked at.
        Raises `ConfigError` without `encrypt_args_key`.
        """
        cipher = self.registry.cipher
        if not isinstance(cipher, FernetCipher):
            raise ConfigError("rotate_keys() needs the new key; give the manager encrypt_args_key=[new, old]")
        return await rotate(self.runtime.backend, self.runtime.journal, cipher, seen_so_far)


def _observers(options: Surroundings) -> list[Observer]:
    observers = [_observer(one) for one in options.loggers or ()]
    if options.log_file is None:
        return observers
    shorthand = FileLogger(
        options.log_file,
        max_bytes=options.log_file_max_bytes,
        backup_count=options.log_file_backup_count,
        mode=options.log_file_mode,
        log_lifecycle=options.log_lifecycle,
    )
    if any(isinstance(one, FileLogger) and one.path == shorthand.path for one in observers):
        return observers
    return [*observers, shorthand]


def _observer(given: Logger) -> Observer:
    if hasattr(given, "handler") and not inspect.isclass(given):
        return cast("Observer", given)
    if inspect.isclass(given) or not callable(given):
        raise ConfigError(f"loggers has {given!r}; give instances of TaskObserver, or functions that take an event")
    return FunctionObserver(given)
