"""The server in memory: a transport whose answers are scripted and whose requests are kept."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from chatlib.http import HttpRequest, HttpResponse
from chatlib.testing.replies import Reply, answer

ReplyLike: TypeAlias = "str | Mapping[str, Any] | HttpResponse | BaseException | Reply"


class NoReplyLeft(AssertionError):
    """More requests came than replies were scripted."""


class InMemoryServer:
    """Answers requests by a script, in memory. Give it to a client as its ``transport``.

    Args:
        replies: One for each request to come. A text is the answer of the model, a dict the whole
            body of a completion; :mod:`chatlib.testing` has functions for everything else. A
            function is given the request and returns any of these; an exception is raised.
        default: The reply to all requests after those.

    >>> server = InMemoryServer("Hello!", default="Hello again!")
    >>> from chatlib import OpenAI
    >>> client = OpenAI(api_key="test", transport=server)
    >>> message = {"role": "user", "content": "Hi"}
    >>> client.chat.completions.create(model="any", messages=[message]).text
    'Hello!'
    >>> server.requests[0].json()["messages"]
    [{'role': 'user', 'content': 'Hi'}]
    """

    def __init__(self, *replies: ReplyLike, default: ReplyLike | None = None) -> None:
        self.requests: list[HttpRequest] = []
        """What was sent, oldest first."""
        self.open_responses = 0
        """How many responses have not been closed: connections that were not given back."""
        self._replies: deque[ReplyLike] = deque(replies)
        self._default = default
        self._lock = threading.Lock()

    @property
    def replies_left(self) -> int:
        """How many scripted replies are still to be given."""
        return len(self._replies)

    def add(self, *replies: ReplyLike) -> None:
        """Script more replies."""
        self._replies.extend(replies)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Keep the request and give the next reply; see :class:`chatlib.http.Transport`."""
        with self._lock:
            self.requests.append(request)
            if not self._replies and self._default is None:
                raise NoReplyLeft(
                    f"request {len(self.requests)} came, but {len(self.requests) - 1} replies were "
                    "scripted; add() more, or give the server a default="
                )
            reply = self._replies.popleft() if self._replies else self._default
        response = _respond(reply, request)
        if not isinstance(response.body, bytes):
            self._watch(response)
        return response

    def _watch(self, response: HttpResponse) -> None:
        inner: Callable[[], object] | None = response.on_close

        def closed() -> None:
            with self._lock:
                self.open_responses -= 1
            if inner is not None:
                inner()

        with self._lock:
            self.open_responses += 1
        response.on_close = closed


def _respond(reply: object, request: HttpRequest) -> HttpResponse:
    while not isinstance(reply, HttpResponse):
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, (str, Mapping)):
            reply = answer(reply)
        if not callable(reply):
            raise TypeError(f"a {type(reply).__name__} is no reply; see chatlib.testing")
        reply = reply(request)
    return reply


__all__ = ["InMemoryServer", "NoReplyLeft", "Reply"]
