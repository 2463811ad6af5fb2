"""Hold the sizes of the source: files, functions and how deep they nest.

What is over a cap must be listed in `size_exceptions.toml` with its real value, and
such a value may only fall. A function is measured without its docstring, a file whole.
"""

import argparse
import ast
import statistics
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXCEPTIONS = ROOT / "scripts" / "size_exceptions.toml"
CAPS = {"file_lines": 500, "function_lines": 60, "nesting": 3}
MEDIAN_FILE_CAP = 120

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Yield every function below `node` with its dotted name."""
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            name = f"{prefix}{child.name}."
            if isinstance(child, FUNCTIONS):
                yield name.removesuffix("."), child
        yield from functions(child, name)


def function_lines(function: Function) -> int:
    """Count lines from `def` to the end, less the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def is_elif(node: ast.AST, child: ast.AST) -> bool:
    """Tell whether the second is the `elif` of the first: an `if` in an `else` stands further right."""
    if not (isinstance(node, ast.If) and isinstance(child, ast.If)):
        return False
    return node.orelse == [child] and child.col_offset == node.col_offset


def nesting(node: ast.AST) -> int:
    """Tell how many blocks stand inside each other; an `elif` is no deeper than its `if`."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, SCOPES):
            continue  # a function inside is measured on its own
        deepest = max(deepest, nesting(child) + (isinstance(child, BLOCKS) and not is_elif(node, child)))
    return deepest


def measure(src: Path) -> dict[str, dict[str, int]]:
    """Measure every file below `src`, by measure and by place."""
    found: dict[str, dict[str, int]] = {name: {} for name in CAPS}
    for path in sorted(src.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(src).as_posix()
        if text:
            found["file_lines"][where] = len(text.splitlines())
        for name, function in functions(ast.parse(text, where)):
            place = f"{where}::{name}"
            # Overloads and property setters share a name: the largest stands for all.
            for key, value in (("function_lines", function_lines(function)), ("nesting", nesting(function))):
                found[key][place] = max(value, found[key].get(place, 0))
    return found


def judge(found: dict[str, dict[str, int]], allowed: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yield what is over its cap without leave, and every leave that is wider than it must be."""
    for key in allowed.keys() - CAPS.keys():
        yield f"[{key}] is no measure; the measures are {', '.join(CAPS)}."
    for key, cap in CAPS.items():
        listed = allowed.get(key, {})
        for where, value in found[key].items():
            limit = listed.get(where)
            if value > cap and limit is None:
                yield f"{where}: {key} is {value}, the cap is {cap}. Split it."
            elif limit is not None and value > limit:
                yield f"{where}: {key} grew to {value}, its exception says {limit}. Split it; exceptions only shrink."
            elif limit is not None and value <= cap:
                yield f"{where}: {key} is {value}, within the cap of {cap}. Remove its exception."
            elif limit is not None and value < limit:
                yield f"{where}: {key} fell to {value}. Lower its exception from {limit} to {value}."
        for where in listed.keys() - found[key].keys():
            yield f"{where}: there is no such place any more. Remove its exception from [{key}]."
    median = statistics.median(found["file_lines"].values() or [0])
    if median > MEDIAN_FILE_CAP:
        yield f"The median file has {median:g} lines, the cap is {MEDIAN_FILE_CAP}. Split large files."


def report(found: dict[str, dict[str, int]]) -> None:
    """Print the figures, so that a trend is seen before a cap is met."""
    for key, cap in CAPS.items():
        values = sorted(found[key].values())
        if values:
            p90 = values[min(len(values) - 1, len(values) * 9 // 10)]
            largest = max(found[key], key=lambda where: found[key][where])
            figures = f"median {statistics.median(values):g}, p90 {p90}, largest {values[-1]} of {cap} ({largest})"
            print(f"{key:<15} {len(values):>4} measured: {figures}")


def main() -> int:
    """Measure, report, and fail on what `judge` finds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("src", nargs="?", type=Path, default=ROOT / "src", help="the folder to measure")
    found = measure(parser.parse_args().src)
    allowed = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8")) if EXCEPTIONS.exists() else {}
    report(found)
    faults = sorted(judge(found, allowed))
    for fault in faults:
        print(f"FAIL {fault}")
    print(f"sizes: {len(faults)} to mend" if faults else "sizes: all within their caps")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
