"""Stored completions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chatlib import (
    NotFoundError,
    OpenAI,
)
from chatlib.testing.loopback import Server
from tests.quirks.helpers import (
    checked_ids,
    find_case,
    replies_of,
)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Serve the replies of a case."""
    with Server(*replies_of(find_case(request.param))) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    """Return a client of the server."""
    with OpenAI(api_key="sk-test", base_url=server.url) as client:
        yield client


def stored(name: str) -> Any:
    """Mark a test as the check of a case of stored completions."""
    checked_ids.add(name)
    return pytest.mark.parametrize("server", [pytest.param(name, id=name)], indirect=True)


@stored("stored-unsupported")
def test_stored_unsupported(client: OpenAI, server: Server) -> None:
    completions = client.chat.completions
    for call in (
        lambda: completions.messages.list("c1"),
        lambda: completions.list(),
        lambda: completions.delete("c1"),
    ):
        before = len(server.requests)
        with pytest.raises(NotFoundError, match="Not Found") as caught:
            call()
        assert {"detail": "Not Found"} == caught.value.body  # an unknown id has a code
        assert caught.value.code is None
        assert 1 == len(server.requests) - before


@stored("stored-has-more-wrong")
def test_stored_has_more_wrong(client: OpenAI, server: Server) -> None:
    page = client.chat.completions.list()
    assert page.has_more is True
    assert not page.has_next_page()
    assert [] == list(page)
    assert 1 == len(server.requests)


@stored("stored-limit-is-page-size")
def test_stored_limit_is_page_size(client: OpenAI, server: Server) -> None:
    page = client.chat.completions.messages.list("chatcmpl-899", limit=1)
    assert ["chatcmpl-899-0"] == [message.id for message in page.data]
    assert 1 == len(server.requests)
    assert ["Be brief.", "Say hello"] == [message.content for message in page]
    assert 2 == len(server.requests)
    assert server.last.target.endswith("/messages?limit=1&after=chatcmpl-899-0")
