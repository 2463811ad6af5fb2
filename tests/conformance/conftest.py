from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conformance.conformance_backends import FACTORIES

from outlive.ports import Backend


@pytest.fixture(params=FACTORIES)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    backend = FACTORIES[request.param](tmp_path)
    await backend.open()
    yield backend
    await backend.close()
