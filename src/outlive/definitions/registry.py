"""All declared functions of one manager, by function and by identity."""

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from outlive.core.cipher import Cipher
from outlive.core.codec import NO_CIPHER
from outlive.core.config import UNSET, TaskConfig
from outlive.definitions.definition import Definition, place_of
from outlive.errors import DefinitionError


class TaskRegistry:
    """Knows a definition by its function and by its identity.

    `base` are the manager's own options, merged below those of each definition. `cipher` seals what is stored.
    """

    def __init__(self, base: TaskConfig = UNSET, cipher: Cipher = NO_CIPHER) -> None:
        self._base = base
        self.cipher = cipher
        #: What tasks are given instead of a dependency; see `TaskManager.dependency_overrides`.
        self.overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._by_identity: dict[str, Definition] = {}
        self._by_func: dict[Callable[..., Any], Definition] = {}
        # Declared by a schedule alone, so that a task decorator around it may still add its options.
        self._implied: dict[Callable[..., Any], TaskConfig] = {}
        self._undeclared: dict[Callable[..., Any], Definition] = {}

    def register(self, func: Callable[..., Any], config: TaskConfig = UNSET, *, implied: bool = False) -> Definition:
        """Declare a function; `DefinitionError` where another one has its name.

        An `implied` declaration may be followed by one that is not, whose options win.
        """
        config = self._withdraw_implied(func).merge(config)
        definition = Definition(func, config, self._base, declared=True, overrides=self.overrides, cipher=self.cipher)
        definition.check_parameters()
        known = self._by_identity.get(definition.identity)
        if known is not None:
            raise DefinitionError(
                f"two tasks are named {definition.identity!r}: {place_of(known.func)} and {place_of(func)}; "
                f"give one of them a name=, it is how stored records find their function"
            )
        try:
            self._by_func[func] = definition
        except TypeError as error:
            raise DefinitionError(f"{func!r} cannot be hashed; declare a function that calls it") from error
        self._by_identity[definition.identity] = definition
        if implied:
            self._implied[func] = config
        return definition

    def _withdraw_implied(self, func: Callable[..., Any]) -> TaskConfig:
        known = self._declared(func)
        if known is None or func not in self._implied:
            return UNSET
        del self._by_identity[known.identity]
        return self._implied.pop(func)

    def of(self, func: Callable[..., Any]) -> Definition:
        """The definition of a function, made on the spot for one that was never declared."""
        return self._declared(func) or self._of_undeclared(func)

    def _declared(self, func: Callable[..., Any]) -> Definition | None:
        try:
            return self._by_func.get(func)
        except TypeError:  # cannot be hashed
            return None

    def _of_undeclared(self, func: Callable[..., Any]) -> Definition:
        if not _lives_with_its_module(func):
            return self._make_undeclared(func)
        definition = self._undeclared.get(func)
        if definition is None:
            definition = self._undeclared[func] = self._make_undeclared(func)
        return definition

    def _make_undeclared(self, func: Callable[..., Any]) -> Definition:
        return Definition(func, UNSET, self._base, declared=False, overrides=self.overrides, cipher=self.cipher)

    def find(self, identity: str) -> Definition | None:
        """The declared definition with this identity."""
        return self._by_identity.get(identity)

    def identities(self) -> frozenset[str]:
        """Identities of everything declared."""
        return frozenset(self._by_identity)

    def is_registered(self, func: Callable[..., Any]) -> bool:
        """Whether the function was declared."""
        return self._declared(func) is not None

    def get_config(self, func: Callable[..., Any]) -> TaskConfig | None:
        """The merged options of a declared function, None if it was not declared."""
        definition = self._declared(func)
        return None if definition is None else definition.config

    def get_by_name(self, name: str) -> tuple[Callable[..., Any], TaskConfig] | None:
        """Function and options by identity or display name, None if there is none."""
        for definition in self:
            if name in (definition.identity, definition.display_name):
                return definition.func, definition.config
        return None

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._by_identity.values())

    def __len__(self) -> int:
        return len(self._by_identity)


def _lives_with_its_module(func: Callable[..., Any]) -> bool:
    """Whether remembering a function keeps nothing alive: it is no closure, bound method or other passing object."""
    return isinstance(func, FunctionType) and func.__qualname__.isidentifier()
