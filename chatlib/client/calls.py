"""One call from start to end: build, send, look at what came, perhaps wait and try again.

The only loop of the library. What is decided in it is decided by pure functions; what it does to
the world, sending and sleeping, it is given. So tests run it without a clock, and an asynchronous
twin of :func:`run_attempts` needs nothing but ``await`` in front of both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import attrs

from chatlib.building import follow_redirect
from chatlib.errors import APIConnectionError, APIError, APITimeoutError
from chatlib.http import (
    HttpRequest,
    HttpResponse,
    Transport,
    TransportError,
    TransportTimeout,
)
from chatlib.reading import raise_for_status
from chatlib.retry import RetryPolicy, decide

T = TypeVar("T")

MAX_REDIRECTS = 5


@attrs.frozen
class Deadline:
    """The moment at which a call must have ended; without ``total``, never."""

    total: float | None
    clock: Callable[[], float] = time.monotonic
    start: float = attrs.field(default=attrs.Factory(lambda self: self.clock(), takes_self=True))

    def left(self) -> float | None:
        """Seconds until then; None where there is no limit."""
        return None if self.total is None else self.start + self.total - self.clock()

    def limit(self, request: HttpRequest) -> HttpRequest:
        """The request, with no limit of it longer than what is left.

        Raises:
            APITimeoutError: nothing is left.
        """
        left = self.left()
        if left is None:
            return request
        if left <= 0:
            raise APITimeoutError(request, message=f"Request timed out after {self.total:g} s.")
        return attrs.evolve(request, timeout=request.timeout.within(left))


def run_attempts(
    attempt: Callable[[int, float | None], T],
    policy: RetryPolicy,
    *,
    sleep: Callable[[float], object] = time.sleep,
    deadline: Deadline | None = None,
) -> T:
    """Make attempts until one succeeds, or the policy says that it is enough.

    Args:
        attempt: Makes one. It is given how many came before, and what the server asked to wait at
            the last one.
        sleep: Waits for some seconds.

    Raises:
        APIError: what the last attempt ended in. Other exceptions pass at once.
    """
    number, asked = 0, None
    while True:
        try:
            return attempt(number, asked)
        except APIError as error:
            error.attempts = number + 1
            wait = decide(
                policy, number, error, time_left=deadline.left() if deadline is not None else None
            )
            if wait is None:
                raise
            asked = error.retry_after
        sleep(wait)
        number += 1


def exchange(transport: Transport, request: HttpRequest, deadline: Deadline) -> HttpResponse:
    """Send a request and bring the response; redirects that may be followed are.

    Raises:
        APIConnectionError: nothing came.
        APIStatusError: an error status, or a redirect that is refused.
    """
    for _ in range(MAX_REDIRECTS + 1):
        request = deadline.limit(request)
        try:
            response = transport.send(request)
        except TransportError as error:
            raise connection_error(error, request) from error.__cause__
        response.request = request
        following = follow_redirect(request, response)
        if following is None:
            return response
        response.close()
        request = following
    raise connection_error(
        TransportError(f"more than {MAX_REDIRECTS} redirects", retryable=False), request
    )


def whole(response: HttpResponse, deadline: Deadline) -> HttpResponse:
    """A response whose body has been read, within the deadline; an error status is raised."""
    try:
        if deadline.total is not None and not isinstance(response.body, bytes):
            response.body = Pieces(response, deadline)
        response.read()
    except TransportError as error:
        assert response.request is not None
        raise connection_error(error, response.request, response) from error.__cause__
    raise_for_status(response)
    return response


class Pieces(Iterator[bytes]):
    """The pieces of a response's body, as long as there is time left.

    The time is that of the call's deadline, or a shorter one that is set while the body is read.
    """

    def __init__(self, response: HttpResponse, deadline: Deadline) -> None:
        self._pieces = iter(response)
        self._response = response
        self._deadline = deadline
        self._end: float | None = None
        self._limited = deadline.total is not None

    @property
    def is_shortened(self) -> bool:
        """Whether a limit of its own is set."""
        return self._end is not None

    def shorten(self, seconds: float) -> None:
        """From now on, all that is to come must come within so many seconds."""
        self._end = self._deadline.clock() + seconds
        self._limited = True

    def lift(self) -> None:
        """Forget what :meth:`shorten` set."""
        self._end = None

    def __next__(self) -> bytes:
        """The next piece.

        Raises:
            TransportTimeout: there is no time left for it.
        """
        if self._limited:
            self._limit_wait()
        return next(self._pieces)

    def _limit_wait(self) -> None:
        response, left = self._response, self._deadline.left()
        if self._end is not None:
            near = self._end - self._deadline.clock()
            left = near if left is None else min(left, near)
        if left is not None and left <= 0:
            raise TransportTimeout("the time for the whole call is over")
        longest = response.request.timeout.read if response.request is not None else None
        if response.limit_wait is not None:
            waits = [seconds for seconds in (left, longest) if seconds is not None]
            response.limit_wait(min(waits, default=None))
        self._limited = left is not None  # the last time, a limit was lifted


def connection_error(
    error: TransportError, request: HttpRequest, response: HttpResponse | None = None
) -> APIConnectionError:
    """A transport's exception as the client's."""
    made: APIConnectionError
    if isinstance(error, TransportTimeout):
        message = f"Request timed out: {error}."
        made = APITimeoutError(request, message=message, response=response)
    else:
        made = APIConnectionError(
            message=f"Connection error: {error}.", request=request, response=response
        )
    made.retryable = error.retryable
    return made
