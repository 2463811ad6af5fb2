"""A function together with how it is to be run."""

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from outlive.core.cipher import Cipher
from outlive.core.codec import NO_CIPHER, ArgumentsCodec, hints_of
from outlive.core.config import OF_THE_RECORD, UNSET, EffectiveConfig, TaskConfig
from outlive.core.values import AnnotatedCodec, PlainCodec, ValueCodec
from outlive.definitions.injection.parameters import NO_OVERRIDES, Overrides, Parameters, parameters_of
from outlive.definitions.shipping import check_arguments, check_function
from outlive.errors import ConfigError, DefinitionError


class Definition:
    """A function, its identity and its merged options.

    `declared` is False for a function that was scheduled without ever being declared: it runs, but no other
    process could find it, so its records cannot be recovered.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        config: TaskConfig,
        base: TaskConfig,
        *,
        declared: bool,
        overrides: Overrides = NO_OVERRIDES,
        cipher: Cipher = NO_CIPHER,
    ) -> None:
        self.func = func
        self._overrides = overrides
        #: What seals what is stored of its runs.
        self.cipher = cipher
        self.declared = declared
        self.config = base.merge(config)
        self.identity = config.name or identity_of(func)
        self.display_name = config.name or name_of(func)
        self.is_async = is_async(func)
        self.executor = _resolve_executor(func, self.config.executor, awaitable=self.is_async)
        self.effective = self.config.effective()

    def with_call_options(self, options: TaskConfig) -> EffectiveConfig:
        """The options for one call; what the call says wins."""
        if options is UNSET:
            return self.effective
        if options.retention_days is not None:
            raise ConfigError("retention_days is an option of a definition, not of a call; give it to @manager.task()")
        self.executor_for(options)
        if options.given().keys() <= OF_THE_RECORD:
            return self.effective
        return EffectiveConfig.of(self.effective.merged.merge(options))

    def executor_for(self, options: TaskConfig) -> str:
        """The executor of one call; `DefinitionError` where the one it asks for does not suit the function."""
        if options.executor is None or options.executor == self.executor:
            return self.executor
        return _resolve_executor(self.func, options.executor, awaitable=self.is_async)

    def check_shipping(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise `TaskArgumentError` for arguments that cannot travel to another process."""
        check_arguments(self.func, self.signature, args, kwargs)

    def check_parameters(self) -> None:
        """Raise `DefinitionError` for a parameter that nobody can fill; to be asked where the function is declared."""
        try:
            parameters = parameters_of(self.func)
        except DefinitionError:
            raise
        except (NameError, ValueError):  # a name that is defined later, or a builtin: the first call has to do with it
            return
        for name, reason in parameters.unfillable.items():
            raise DefinitionError(f"{self.display_name}: parameter {name!r} is {reason}")
        body = self._make_body(parameters)
        if parameters.is_complete:
            self._parameters, self.body = parameters, body

    @cached_property
    def _parameters(self) -> Parameters:
        return parameters_of(self.func)

    @cached_property
    def signature(self) -> inspect.Signature:
        """What calls are checked against: the signature of the function, except for what is injected."""
        return self._parameters.for_callers()

    @cached_property
    def body(self) -> Callable[..., Any]:
        """What an executor calls: the function, or what calls it with its dependencies."""
        return self._make_body(self._parameters)

    def _make_body(self, parameters: Parameters) -> Callable[..., Any]:
        if not parameters.injected:
            return self.func
        # It brings fast-depends with it, which most applications do not need.
        from outlive.definitions.injection.injected import Injected  # noqa: PLC0415

        return Injected(self.func, parameters, self._overrides)

    @cached_property
    def codec(self) -> ArgumentsCodec:
        """Encodes the function's arguments; built at the first use, when annotations can be resolved."""
        return ArgumentsCodec(self.func, self.signature, self.cipher)

    @cached_property
    def result_codec(self) -> ValueCodec:
        """Encodes what the function returns, by its annotation."""
        hints = hints_of(self.func)
        return AnnotatedCodec("return", hints["return"]) if "return" in hints else PlainCodec("return")

    def check_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise the `TypeError` that the call itself would raise."""
        if kwargs or len(args) not in self._arities:
            self.signature.bind(*args, **kwargs)

    def check_schedulable(self) -> None:
        """Raise `DefinitionError` where the function cannot be called without arguments."""
        try:
            self.check_call((), {})
        except TypeError as error:
            raise DefinitionError(
                f"{self.display_name} cannot be scheduled, since nobody gives it arguments: {error}; "
                f"give its parameters defaults, or schedule a function that calls it"
            ) from error

    @cached_property
    def _arities(self) -> range:
        """Counts of positional arguments that need no closer look."""
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = list(self.signature.parameters.values())
        required = [p for p in parameters if p.default is p.empty and p.kind in positional]
        if any(p.default is p.empty and p.kind is p.KEYWORD_ONLY for p in parameters):
            return range(0)
        return range(len(required), sum(p.kind in positional for p in parameters) + 1)


def identity_of(func: Callable[..., Any]) -> str:
    """`module:qualname` of a function, a class's instance or a partial."""
    target = func.func if isinstance(func, partial) else func
    if not hasattr(target, "__qualname__"):
        target = type(target)
    return f"{target.__module__}:{target.__qualname__}"


def place_of(func: Callable[..., Any]) -> str:
    """Where a function stands in the source, for messages."""
    code = getattr(func, "__code__", None)
    return repr(func) if code is None else f"{func.__qualname__} ({code.co_filename}, line {code.co_firstlineno})"


def name_of(func: Callable[..., Any]) -> str:
    """`__name__` of a function, a class's instance or a partial."""
    target = func.func if isinstance(func, partial) else func
    return str(getattr(target, "__name__", type(target).__name__))


def is_async(func: Callable[..., Any]) -> bool:
    """Whether calling `func` gives a coroutine."""
    target = func.func if isinstance(func, partial) else func
    if inspect.isclass(target):
        return False
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(getattr(target, "__call__", None))  # noqa: B004


def _resolve_executor(func: Callable[..., Any], wanted: str | None, *, awaitable: bool) -> str:
    if not callable(func):
        raise DefinitionError(f"{func!r} is not callable; a task is a function")
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise DefinitionError(f"{name_of(func)} is a generator, whose body a call does not run; declare a function")
    natural = "async" if awaitable else "thread"
    if wanted is None or wanted == natural:
        return natural
    if wanted == "process":
        check_function(func)
        return wanted
    if wanted == "async":
        raise DefinitionError(f"executor='async' needs a coroutine function, {name_of(func)} is not; use 'thread'")
    raise DefinitionError(
        f"executor='thread' needs a plain function, {name_of(func)} is a coroutine function; use 'async'"
    )
