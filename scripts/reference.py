"""Keep docs/reference.md: every public name with its signature and docstring, read from the source.

With --check nothing is written; the run fails when the page is stale.
"""

import argparse
import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
MODULES = (
    "outlive",
    "outlive.sync",
    "outlive.testing",
    "outlive.integrations.prometheus",
    "outlive.integrations.opentelemetry",
)
INTRODUCTION = """# Reference

Every public name, written by `make fix` from the source. Times are seconds. The [guide](guide/tasks.md) shows how
they go together.
"""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Write the page, or check that it is the one on file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the page is stale")
    check = parser.parse_args().check
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    new = "\n".join([INTRODUCTION, *(line for module in MODULES for line in describe_module(module))])
    if new == old:
        print("reference: up to date")
        return 0
    if check:
        print("reference: docs/reference.md is stale. Run: make fix")
        return 1
    PAGE.write_text(new, encoding="utf-8")
    print("reference: wrote docs/reference.md")
    return 0


def describe_module(name: str) -> Iterator[str]:
    """Write the names of one module; one that is another's alias says so."""
    module = importlib.import_module(name)
    yield f"## {name}\n"
    yield f"{inspect.getdoc(module)}\n"
    for public in sorted(module.__all__):
        value = getattr(module, public)
        own = getattr(value, "__name__", public)
        yield f"### {public}\n"
        if own != public and own in module.__all__:
            yield f"The same as [`{own}`](#{own.lower()}).\n"
        elif isinstance(value, type):
            yield from describe_class(value)
        elif inspect.isfunction(value):
            yield from describe_function(function_of(inspect.unwrap(value)))
        else:
            yield f"`{textwrap.shorten(str(value), 200).replace('typing.', '')}`\n"


def describe_class(cls: type) -> Iterator[str]:
    """Write what a class is, how one is made, and what it can do."""
    yield f"{prose(cls.__doc__)}\n"
    bodies = [class_of(base) for base in cls.__mro__ if base.__module__.partition(".")[0] == "outlive"]
    if issubclass(cls, BaseException):
        return
    attributes = [line for body, source in bodies for line in describe_attributes(body, source)]
    if attributes:
        yield "\n".join([*dict.fromkeys(attributes), ""])
    is_backend = cls.__name__.endswith("Backend") and cls.__name__ != "Backend" and "Auth" not in cls.__name__
    seen: set[str] = set()
    for body, _ in bodies:
        functions = [node for node in body.body if isinstance(node, Function)]
        for node in functions:
            is_public = not node.name.startswith("_") or node.name == "__init__"
            if is_public and node.name not in seen and not is_overload(node):
                seen.add(node.name)
                if node.name == "__init__" or not is_backend:
                    yield from describe_function(node, cls.__name__)


def describe_attributes(body: ast.ClassDef, source: list[str]) -> Iterator[str]:
    """Write the fields of a class, with what the comment above each says."""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_":
            default = f" = {ast.unparse(node.value)}" if node.value is not None else ""
            comment: list[str] = []
            above = node.lineno - 2
            while source[above].strip().startswith("#:"):
                comment.insert(0, source[above].strip()[2:].strip())
                above -= 1
            yield f"- `{node.target.id}: {ast.unparse(node.annotation)}{default}`" + (
                f" — {' '.join(comment)}" if comment else ""
            )
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            yield f"- `{ast.unparse(node)}`"


def describe_function(node: Function, owner: str | None = None) -> Iterator[str]:
    """Write a function: a heading for a method, its head, its docstring."""
    name = owner if node.name == "__init__" else node.name
    if owner is not None and node.name != "__init__":
        yield f"#### {owner}.{node.name}\n"
    arguments = [argument for argument in (*node.args.posonlyargs, *node.args.args) if argument.arg in ("self", "cls")]
    for argument in arguments:
        (node.args.posonlyargs if argument in node.args.posonlyargs else node.args.args).remove(argument)
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    if "property" in marks:
        head = f"{name}: {ast.unparse(node.returns)}" if node.returns else str(name)
    else:
        keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        result = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
        head = f"{keyword} {name}({ast.unparse(node.args)}){result}: ..."
    yield f"```py\n{wrapped(head)}\n```\n"
    doc = ast.get_docstring(node)
    if doc:
        yield f"{prose(doc)}\n"


def wrapped(head: str) -> str:
    """Put the parameters of a long head on lines of their own."""
    if len(head) <= 100 or "(" not in head:
        return head
    begin = head.index("(") + 1
    end = len(head) - len(head.rpartition(") ->")[2]) - 4 if ") ->" in head else head.rindex(")")
    return "\n".join([head[:begin], *(f"    {part}," for part in split_arguments(head[begin:end])), head[end:]])


def split_arguments(text: str) -> Iterator[str]:
    """Split at the commas that stand in no bracket."""
    depth, begin = 0, 0
    for at, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            yield text[begin:at].strip()
            begin = at + 1
    yield text[begin:].strip()


def prose(doc: str | None) -> str:
    """A docstring as Markdown: its code spans are Markdown's already."""
    return inspect.cleandoc(doc or "").replace("*", "\\*") if doc else ""


def is_overload(node: Function) -> bool:
    """Tell the variants that type checkers read from the function that is called."""
    return any(ast.unparse(mark) == "overload" for mark in node.decorator_list)


def class_of(cls: type) -> tuple[ast.ClassDef, list[str]]:
    """The statement that defines a class, and the lines of its module."""
    source = inspect.getsource(sys.modules[cls.__module__])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            return node, source.splitlines()
    raise LookupError(cls)


def function_of(function: Callable[..., object]) -> Function:
    """The statement that defines a function."""
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(node, Function):
        raise TypeError(f"{function} is not written as a function")
    return node


if __name__ == "__main__":
    sys.exit(main())
