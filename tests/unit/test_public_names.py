"""The typed project in tests/typing uses every public name; the type checkers look at it in `make check`."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import outlive
import outlive.integrations.opentelemetry
import outlive.integrations.prometheus
import outlive.sync
import outlive.testing

TYPED = sorted((Path(__file__).parents[1] / "typing").glob("*.py"))


def used_from(module):
    """The names that the typed files import from a module and mention after that."""
    used = set()
    for path in TYPED:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == module]
        imported = {alias.name for node in imports for alias in node.names}
        used |= imported & {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used


MODULES = [
    outlive,
    outlive.sync,
    outlive.testing,
    outlive.integrations.prometheus,
    outlive.integrations.opentelemetry,
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_typed_project_uses_every_public_name(module):
    assert set(module.__all__) - used_from(module.__name__) == set()


def test_what_makes_pages_is_loaded_with_the_admin_and_not_before():
    code = """
import sys
import outlive
pages = {"jinja2", "sse_starlette", "outlive.admin"}
early = pages & set(sys.modules)
from outlive import TaskAdmin
print(sorted(early), sorted(pages & set(sys.modules)))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == "[] ['jinja2', 'outlive.admin', 'sse_starlette']"
