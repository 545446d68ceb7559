"""What all tests share: an environment without settings, and property tests that don't flake."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import faces
from tests.environment import forget_settings
from tests.faces import Face

forget_settings()  # before any test module is imported, and for the programs that tests start

pytest.register_assert_rewrite("chatlib.testing.contract")  # with all of its modules

from chatlib.testing.contract import TransportContract  # noqa: E402  # is rewritten by then

settings.register_profile(
    "default",
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(
    "thorough" if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else "default"
)


LONG_SCENARIOS = {
    "test_total_bounds_all_of_a_response",
    "test_a_large_answer",
    "test_a_large_request",
    "test_a_thousand_calls_share_a_connection",
    "test_many_calls_at_once",
    "test_many_streams_at_once",
    "test_pieces_as_they_come",
    "test_secrets_are_not_shown",
    "test_sending_may_take_longer_than_connecting",
    "test_the_limits_of_one_call_are_not_those_of_the_next",
    "test_the_read_timeout_is_for_each_read",
    "test_threads_share_a_transport",
}
"""The scenarios of the transport contract that take long."""

DEFAULT_TRANSPORTS = {"TestRequestsTransport", "TestAiohttpTransport"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Two for each core, for ``-n auto``: half of the time, tests wait for a server or a limit."""
    return None if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") else 2 * (os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long scenarios of all but the default transports to ``-m slow``."""
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and item.cls is not None
            and issubclass(item.cls, TransportContract)
            and item.originalname in LONG_SCENARIOS
            and item.cls.__name__ not in DEFAULT_TRANSPORTS
        ):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    """Both faces of the library, in turn: what a test says of clients holds for both."""
    before, made = faces.now, Face(request.param)
    faces.now = made
    yield made
    faces.now = before
    made.close()
