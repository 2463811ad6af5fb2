"""Arguments as stored text: one JSON object by parameter name, each value by the parameter's annotation.

What is stored must come back as what the annotation makes of the value, or it is refused before anything is
accepted. There is no fallback: no `repr`, no pickle.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast, get_type_hints

from pydantic_core import from_json

from outlive.core.cipher import Cipher, NoCipher
from outlive.core.values import AnnotatedCodec, KeywordsCodec, PlainCodec, PositionalsCodec, ValueCodec
from outlive.errors import TaskArgumentError

NO_CIPHER = NoCipher()

_P = inspect.Parameter
_VARIADIC = (_P.VAR_POSITIONAL, _P.VAR_KEYWORD)
_BY_POSITION_ONLY = (_P.POSITIONAL_ONLY, _P.VAR_POSITIONAL)


class ArgumentsCodec:
    """Encodes the arguments of one function, sealed by `cipher`, and brings them back."""

    def __init__(self, func: Callable[..., Any], signature: inspect.Signature, cipher: Cipher = NO_CIPHER) -> None:
        self._cipher = cipher
        hints = hints_of(func)
        self._signature = signature
        self._codecs = {name: _codec_of(p, hints) for name, p in signature.parameters.items()}
        self._in_order = tuple(self._codecs.values())
        kinds = [p.kind for p in signature.parameters.values()]
        self._is_variadic = any(kind in _VARIADIC for kind in kinds)
        self._is_by_position = all(kind is _P.POSITIONAL_OR_KEYWORD for kind in kinds)

    def encode(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """The arguments of a call that the function accepts, as text.

        `TaskArgumentError` names the argument that cannot be stored.
        """
        if self._is_variadic:
            kwargs = self._signature.bind(*args, **kwargs).arguments
            args = ()
        members = [codec.key + codec.encode(value) for codec, value in zip(self._in_order, args, strict=False)]
        for name, value in kwargs.items():
            codec = self._codecs[name]
            members.append(codec.key + codec.encode(value))
        return self._cipher.seal("{" + ",".join(members) + "}")

    def decode(self, text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments.

        `TaskArgumentError` where the function no longer takes them, `EncryptionError` where they cannot be read.
        """
        values: dict[str, Any] = {}
        for name, stored in _members(self._cipher.open(text)).items():
            codec = self._codecs.get(name)
            if codec is None:
                raise TaskArgumentError(
                    f"the function no longer has a parameter {name!r}; keep it, unused, until such tasks have run"
                )
            values[name] = codec.decode(stored)
        if self._is_by_position and len(values) == len(self._codecs):
            return tuple([values[name] for name in self._codecs]), {}
        self._complete(values)
        bound = inspect.BoundArguments(self._signature, values)
        return bound.args, bound.kwargs

    def _complete(self, values: dict[str, Any]) -> None:
        """Fill the gaps in front of what can only be passed by position; refuse where a value is missing."""
        parameters = self._signature.parameters
        fixed = [
            at for at, (name, p) in enumerate(parameters.items()) if name in values and p.kind in _BY_POSITION_ONLY
        ]
        for at, (name, parameter) in enumerate(parameters.items()):
            if name in values or parameter.kind in _VARIADIC:
                continue
            if parameter.default is _P.empty:
                raise TaskArgumentError(
                    f"the function now requires {name!r}, which was not stored; give it a default until such tasks "
                    f"have run"
                )
            if fixed and at < fixed[-1]:
                values[name] = parameter.default


def summarize(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The types of the arguments: what is kept of them where they cannot be stored."""
    names = [type(value).__name__ for value in args]
    names += [f"{key}={type(value).__name__}" for key, value in kwargs.items()]
    return f"({', '.join(names)})"


def _codec_of(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> ValueCodec:
    name = parameter.name
    codec: ValueCodec = AnnotatedCodec(name, hints[name]) if name in hints else PlainCodec(name)
    if parameter.kind is _P.VAR_POSITIONAL:
        return PositionalsCodec(name, codec)
    return KeywordsCodec(name, codec) if parameter.kind is _P.VAR_KEYWORD else codec


def _members(text: str) -> dict[str, Any]:
    try:
        stored = from_json(text)
    except ValueError as error:
        raise TaskArgumentError(f"the stored arguments cannot be read: {error}") from error
    if not isinstance(stored, dict):
        raise TaskArgumentError("the stored arguments cannot be read: they are no JSON object")
    return cast("dict[str, Any]", stored)


def hints_of(func: Callable[..., Any]) -> dict[str, Any]:
    """The annotations by parameter. One that cannot be read stays text and is refused when a value is passed for it."""
    target = _annotated(func)
    try:
        return get_type_hints(target, include_extras=True)
    except Exception:  # noqa: BLE001 - annotations are code of the application; each is tried by itself
        return {name: _hint(target, name, text) for name, text in _raw_annotations(target).items()}


def _annotated(func: Callable[..., Any]) -> Callable[..., Any]:
    """What carries the annotations: the function in a partial, the method behind a class or a callable object."""
    while isinstance(func, partial):
        func = func.func
    if inspect.isclass(func):
        return func.__init__
    return func if inspect.isroutine(func) else type(func).__call__


def _raw_annotations(target: Callable[..., Any]) -> dict[str, Any]:
    try:
        return dict(getattr(target, "__annotations__", {}))
    except NameError as error:
        raise TaskArgumentError(
            f"the annotations of {target!r} cannot be read ({error}); import their names where the function is "
            f"defined, not only for type checking"
        ) from error


def _hint(target: Callable[..., Any], name: str, annotation: Any) -> Any:
    alone = SimpleNamespace(__annotations__={name: annotation})
    try:
        return get_type_hints(alone, getattr(inspect.unwrap(target), "__globals__", {}), include_extras=True)[name]
    except Exception:  # noqa: BLE001 - see above
        return annotation
