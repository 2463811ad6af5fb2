"""Whatever is sent to the API, it answers: no request of its own description makes the server fail."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from support.browsing import served
from support.showcase import Showcase


@pytest.fixture(scope="module")
def api():
    with served(Showcase()) as site:
        site.call(site.showcase.fill())
        yield schemathesis.openapi.from_url(f"{site.host}/tasks/api/v1/openapi.json")


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_makes_the_server_fail(case):
    case.call_and_validate(checks=[not_a_server_error])
