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

pytest.register_assert_rewrite(
    "chatlib.testing.contract", "chatlib.testing.async_contract", "chatlib.testing.scenarios"
)

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


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    """Both faces of the library, in turn: what a test says of clients holds for both."""
    before, made = faces.now, Face(request.param)
    faces.now = made
    yield made
    faces.now = before
    made.close()
