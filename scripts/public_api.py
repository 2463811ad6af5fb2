"""Keep docs/public_api.txt: what `outlive` exports, with kinds and signatures.

Signatures are read from the source, so that they are the same under every Python.
With --check nothing is written; the run fails and shows what differs.
"""

import argparse
import ast
import difflib
import enum
import inspect
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_origin, get_overloads, is_typeddict

import outlive

SNAPSHOT = Path(__file__).resolve().parent.parent / "docs" / "public_api.txt"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
PUBLIC_DUNDERS = {
    "__init__",
    "__call__",
    "__enter__",
    "__aenter__",
    "__await__",
    "__iter__",
    "__aiter__",
    "__next__",
    "__anext__",
    "__len__",
    "__getitem__",
    "__contains__",
}


def is_public(name: str) -> bool:
    """Tell whether a member is part of the interface."""
    return not name.startswith("_") or name in PUBLIC_DUNDERS


def parsed(obj: type | Callable[..., Any]) -> ast.stmt:
    """Return the statement that defines a class or function."""
    if isinstance(obj, type):  # looked up by name: inspect would follow a `__wrapped__` that is for callers
        statements = ast.parse(inspect.getsource(sys.modules[obj.__module__])).body
        return next(one for one in statements if isinstance(one, ast.ClassDef) and one.name == obj.__name__)
    return ast.parse(textwrap.dedent(inspect.getsource(obj))).body[0]


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Write a function's head with its decorators, which tell property from method."""
    marks = "".join(f"@{ast.unparse(mark)} " for mark in node.decorator_list)
    prefix = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{marks}{prefix} {node.name}({ast.unparse(node.args)}){result}"


def members(cls: type) -> Iterator[tuple[str, str]]:
    """Yield the public members that the body of a class defines, by name."""
    definition = parsed(cls)
    for node in definition.body if isinstance(definition, ast.ClassDef) else ():
        if isinstance(node, FUNCTIONS) and is_public(node.name):
            yield node.name, signature(node)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and is_public(node.target.id):
            yield node.target.id, ast.unparse(node)
        elif isinstance(node, ast.Assign):
            names = (target.id for target in node.targets if isinstance(target, ast.Name))
            yield from ((name, ast.unparse(node)) for name in names if is_public(name))


def class_kind(cls: type) -> str:
    """Name what sort of class it is."""
    if issubclass(cls, BaseException):
        return "exception"
    if issubclass(cls, enum.Enum):
        return "enum"
    if is_typeddict(cls):
        return "typed dict"
    return "protocol" if getattr(cls, "_is_protocol", False) else "class"


def describe_class(name: str, cls: type) -> Iterator[str]:
    """Write a class, its bases and its members, those inherited inside outlive included."""
    definition = parsed(cls)
    bases = definition.bases + definition.keywords if isinstance(definition, ast.ClassDef) else []
    marks = definition.decorator_list if isinstance(definition, ast.ClassDef) else []
    decorated = "".join(f"@{ast.unparse(mark)} " for mark in marks)
    inherited = ", ".join(ast.unparse(base) for base in bases)
    yield f"{decorated}{class_kind(cls)} {name}" + (f"({inherited})" if inherited else "")
    found: dict[str, list[str]] = {}
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] == "outlive":
            own: dict[str, list[str]] = {}
            for member, text in members(base):
                own.setdefault(member, []).append(text)
            found = own | found
    ordered = found if issubclass(cls, enum.Enum) else dict(sorted(found.items()))
    yield from (f"    {text}" for texts in ordered.values() for text in texts)


def describe_function(name: str, function: types.FunctionType) -> Iterator[str]:
    """Write a function: its overloads when it has any, else its own head."""
    for variant in get_overloads(function) or [function]:
        node = parsed(variant)
        if isinstance(node, FUNCTIONS):
            node.name = name
            yield f"function {signature(node)}"


def describe(name: str, obj: object) -> Iterator[str]:
    """Write one exported name."""
    if isinstance(obj, type) and get_origin(obj) is None:
        yield from describe_class(name, obj)
    elif isinstance(obj, types.FunctionType):
        yield from describe_function(name, inspect.unwrap(obj))
    elif isinstance(obj, types.ModuleType):
        yield f"module {name}"
    elif isinstance(obj, (str, int, float, tuple, types.NoneType)):
        # The version moves with every release: its type is the promise.
        yield f"constant {name}: {type(obj).__name__}" + ("" if name == "__version__" else f" = {obj!r}")
    elif get_origin(obj) is not None:
        yield f"alias {name}"
    else:
        yield f"object {name}: {type(obj).__name__}"


def snapshot() -> str:
    """Return the whole text: names in order, one blank line between them."""
    blocks = ("\n".join(describe(name, getattr(outlive, name))) for name in sorted(outlive.__all__))
    return "\n\n".join(blocks) + "\n"


def main() -> int:
    """Write the snapshot, or check that it is the one on file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the snapshot is stale")
    check = parser.parse_args().check
    old = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
    new = snapshot()
    if new == old:
        print(f"public api: {len(outlive.__all__)} names, up to date")
        return 0
    if check:
        diff = difflib.unified_diff(old.splitlines(), new.splitlines(), f"docs/{SNAPSHOT.name}", "outlive", lineterm="")
        print("\n".join(diff))
        print("public api: it changed. If that is meant: make fix, and a line in CHANGELOG.md")
        return 1
    SNAPSHOT.parent.mkdir(exist_ok=True)
    SNAPSHOT.write_text(new, encoding="utf-8")
    print(f"public api: wrote docs/{SNAPSHOT.name}, {len(outlive.__all__)} names")
    return 0


if __name__ == "__main__":
    sys.exit(main())
