"""Whatever is sent to the API, it answers: no request of its own description makes the server fail."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from support.browsing import served
from support.showcase import Showcase


@pytest.mark.filterwarnings("default")  # of the tool's own requests
def test_no_request_makes_the_server_fail():
    with served(Showcase()) as site:
        site.call(site.showcase.fill())
        schema = schemathesis.openapi.from_url(f"{site.host}/tasks/api/v1/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) > 15
        for operation in operations:

            @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy())
            def answers(case):
                case.call_and_validate(checks=[not_a_server_error])

            answers()
