"""What the parameters of a function ask for: arguments of the caller, dependencies, or what only a request has."""

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin

from fastapi import params
from fastapi.security import SecurityScopes
from starlette.background import BackgroundTasks
from starlette.requests import HTTPConnection
from starlette.responses import Response
from typing_extensions import TypeAliasType

from outlive.core.codec import hints_of
from outlive.errors import DefinitionError

#: What is called instead of a dependency.
Overrides = Mapping[Callable[..., Any], Callable[..., Any]]
NO_OVERRIDES: Overrides = MappingProxyType({})

_P = inspect.Parameter
VARIADIC = (_P.VAR_POSITIONAL, _P.VAR_KEYWORD)
_AFTER_INJECTED = (_P.VAR_KEYWORD,)
_MARKER_IN_TEXT = re.compile(r"\b(Depends|Security)\(")
_OF_A_REQUEST = (HTTPConnection, Response, BackgroundTasks, SecurityScopes)
_REMEDY = "read what the task needs of it in the endpoint, and pass that as an argument"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a dependency is to give for one parameter."""

    dependency: Callable[..., Any]
    annotation: Any
    use_cache: bool = True
    #: Whether the value is validated to the annotation of the parameter, or of what the dependency returns.
    cast: bool = False
    cast_result: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one function."""

    signature: inspect.Signature
    injected: Mapping[str, Wanted]
    #: Parameters that only a request or a message could fill, and why a task cannot.
    unfillable: Mapping[str, str]
    returns: Any
    #: Whether each annotation could be read; a name may be defined only later.
    is_complete: bool

    @property
    def plain(self) -> dict[str, inspect.Parameter]:
        """What a caller passes, except for `*args` and `**kwargs`."""
        named = self.signature.parameters.items()
        return {name: p for name, p in named if name not in self.injected and p.kind not in VARIADIC}

    def for_callers(self) -> inspect.Signature:
        """The signature that calls are checked against: what is injected can be passed by name and never must be."""
        if not self.injected:
            return self.signature
        parameters = list(self.signature.parameters.values())
        before = [p for p in parameters if p.name not in self.injected and p.kind not in _AFTER_INJECTED]
        after = [p for p in parameters if p.name not in self.injected and p.kind in _AFTER_INJECTED]
        optional = [p.replace(kind=_P.KEYWORD_ONLY, default=None) for p in parameters if p.name in self.injected]
        return self.signature.replace(parameters=[*before, *optional, *after])


def parameters_of(func: Callable[..., Any]) -> Parameters:
    """Read the parameters of a function.

    Raises `DefinitionError` for what no dependency can be, `ValueError` for a builtin that has no signature.
    """
    signature = inspect.signature(func)
    written = {name: p.annotation for name, p in signature.parameters.items()}
    hints = _hints(func, [*written.values(), signature.return_annotation])
    injected: dict[str, Wanted] = {}
    unfillable: dict[str, str] = {}
    for name, parameter in signature.parameters.items():
        annotation = _resolved(hints.get(name, parameter.annotation))
        if (_is_simple(parameter.default) and _is_simple(annotation)) or _is_given(func, name):
            continue
        _refuse_unreadable(func, name, annotation)
        wanted = _wanted(func, parameter, annotation)
        if (reason := _unfillable(parameter, annotation, wanted)) is not None:
            unfillable[name] = reason
        elif wanted is not None:
            injected[name] = wanted
    returns = hints.get("return", signature.return_annotation)
    is_complete = not any(isinstance(hints.get(name, one), str) for name, one in written.items())
    return Parameters(signature, injected, unfillable, returns, is_complete)


def shown(func: Callable[..., Any]) -> str:
    """What messages call a function."""
    while isinstance(func, partial):
        func = func.func
    return str(getattr(func, "__qualname__", type(func).__qualname__))


def _hints(func: Callable[..., Any], annotations: list[Any]) -> Mapping[str, Any]:
    # Annotations that are no text are what they are; to ask for the hints costs more than all the rest.
    return hints_of(func) if any(isinstance(one, str) for one in annotations) else {}


def _is_simple(value: Any) -> bool:
    """Whether a default or an annotation is nothing to look into: a builtin type, or nothing at all."""
    return value is None or (type(value) is type and (value is _P.empty or value.__module__ == "builtins"))


def _is_given(func: Callable[..., Any], name: str) -> bool:
    """Whether a partial brings the argument with it."""
    return isinstance(func, partial) and name in func.keywords


def _resolved(annotation: Any) -> Any:
    while isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    return annotation


def _refuse_unreadable(func: Callable[..., Any], name: str, annotation: Any) -> None:
    if isinstance(annotation, str) and _MARKER_IN_TEXT.search(annotation):
        raise DefinitionError(
            f"{shown(func)}: the annotation of {name!r}, {annotation!r}, cannot be read where the task is declared; "
            f"import or define its names above, not only for type checking and not inside a function"
        )


# -- dependencies ------------------------------------------------------------------------------------


def _wanted(func: Callable[..., Any], parameter: inspect.Parameter, annotation: Any) -> Wanted | None:
    markers = [one for one in _metadata(annotation) if _is_marker(one)]
    if _is_marker(parameter.default):
        markers.append(parameter.default)
    if not markers:
        return None
    where = f"{shown(func)}: parameter {parameter.name!r}"
    if len(markers) > 1:
        raise DefinitionError(f"{where} has two dependencies, {markers[0]!r} and {markers[1]!r}; keep one of them")
    if parameter.kind in VARIADIC:
        raise DefinitionError(
            f"{where} takes any number of arguments and cannot be injected; give it a name of its own"
        )
    return _read(where, markers[0], annotation)


def _read(where: str, marker: Any, annotation: Any) -> Wanted:
    if not isinstance(marker, params.Depends):  # fast-depends' own
        can_cast = marker.cast and not isinstance(annotation, str)
        return Wanted(marker.dependency, _unmarked(annotation), marker.use_cache, can_cast, marker.cast_result)
    if getattr(marker, "max_concurrency", None) is not None:
        raise DefinitionError(
            f"{where} has max_concurrency={getattr(marker, 'max_concurrency', None)!r}, which counts within requests "
            f"only; limit it inside of the dependency, for example by a semaphore"
        )
    dependency = _plain_type(annotation) if marker.dependency is None else marker.dependency
    if not callable(dependency) or dependency is _P.empty:
        raise DefinitionError(f"{where}: Depends() without a function needs a class as annotation; name what to call")
    return Wanted(dependency, annotation, marker.use_cache)


def _is_marker(value: Any) -> bool:
    if isinstance(value, params.Depends):
        return True
    known = sys.modules.get("fast_depends.dependencies")  # no marker of it exists where it was not imported
    return known is not None and isinstance(value, known.Dependant)


def _metadata(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()


def _plain_type(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _unmarked(annotation: Any) -> Any:
    """The annotation without the marker, which fast-depends would take for a second one."""
    rest = [one for one in _metadata(annotation) if not _is_marker(one)]
    return Annotated[_plain_type(annotation), *rest] if rest else _plain_type(annotation)


# -- what only a request or a message has ------------------------------------------------------------


def _unfillable(parameter: inspect.Parameter, annotation: Any, wanted: Wanted | None) -> str | None:
    for value in (parameter.default, *_metadata(annotation)):
        if isinstance(value, (params.Param, params.Body)):
            return f"{type(value).__name__}(...), but a task has no request; {_REMEDY}"
        if _is_custom_field(value):
            return f"{type(value).__name__}(...), but a task has no message; {_REMEDY}"
    kind = _plain_type(annotation) if wanted is None else wanted.dependency
    if not isinstance(kind, type) or not issubclass(kind, _OF_A_REQUEST):
        return None
    remedy = "use `await manager.enqueue(...)`" if issubclass(kind, BackgroundTasks) else _REMEDY
    return f"{kind.__name__}, but a task has no request; {remedy}"


def _is_custom_field(value: Any) -> bool:
    known = sys.modules.get("fast_depends.library")
    return known is not None and isinstance(value, known.CustomField)
