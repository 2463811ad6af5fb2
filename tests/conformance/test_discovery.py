import importlib
import inspect
import pkgutil

from tests.conformance.conformance_backends import CLASSES, FACTORIES

import outlive.backends
from outlive.ports import Backend


def test_every_backend_is_examined():
    found = set()
    for module in pkgutil.iter_modules(outlive.backends.__path__, "outlive.backends."):
        members = vars(importlib.import_module(module.name)).values()
        found |= {
            member
            for member in members
            if inspect.isclass(member) and member is not Backend and {"apply", "claim"} <= vars(member).keys()
        }

    assert found
    assert found == set(CLASSES.values()), "a backend has no line in conformance_backends.py"
    assert CLASSES.keys() == FACTORIES.keys()
