"""One call from start to end: build, send, look at what came, perhaps wait and try again.

:class:`Call` is what a call knows and decides, without I/O. :func:`run` is the loop around it: it
sends and sleeps by what it is given, so tests run it without a clock. The asynchronous twin of the
loop, in :mod:`chatlib.client.async_call`, asks the same :class:`Call`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import attrs

from chatlib.client.hooks import Hooks, log_body, log_request, log_response, log_retry
from chatlib.config import Config, Secret, retries
from chatlib.errors import APIConnectionError, APIError, APITimeoutError
from chatlib.http import HttpRequest, HttpResponse, Omit, TransportError, TransportTimeout, omit
from chatlib.redaction import forget_frames, private_frames
from chatlib.retry import RetryPolicy, decide
from chatlib.transports.checking import check_response
from chatlib.wire.redirects import follow_redirect
from chatlib.wire.request import Operation, timeout_of
from chatlib.wire.response import raise_for_status

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


class Call(Generic[T]):
    """One call on its way: what to send next, what came of it, and whether to try again.

    Args:
        operation: What is asked.
        config: Of whom, and as whom.
        hooks: Who is told of it.
        clock: Gives the time in seconds; tests give their own.
        policy: When to try again; unless given, as the call and the config say.
    """

    def __init__(
        self,
        operation: Operation[T],
        config: Config,
        hooks: Hooks | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.operation = operation
        self.config = config
        self.attempts = 0
        """How many attempts have failed."""
        self.asked_to_wait: float | None = None
        """How many seconds the server asked to wait, at the last of them."""
        self._hooks = hooks
        self._clock = clock
        self._sent_at = 0.0
        self._redirects = 0
        self._request: HttpRequest | None = None
        self._following: HttpRequest | None = None
        self._is_over = False
        total = timeout_of(config, operation.options).total
        # A function that gives the key may take its time: it counts.
        self.deadline = Deadline(total, clock, clock())
        """When it must have ended."""
        count = operation.options.get("max_retries", omit)
        self._policy = policy or RetryPolicy(
            config.max_retries if isinstance(count, Omit) else retries(count)
        )

    @property
    def needs_key(self) -> bool:
        """Whether a function must be called for the key of the request that is next."""
        return callable(self.config.api_key) and self._following is None

    @contextmanager
    def others(self) -> Iterator[None]:
        """Around functions of the caller's: what they raise ends the call, whatever it is."""
        try:
            yield
        except APIError:
            self._is_over = True
            raise

    def next_request(self, key: Secret | None = None) -> HttpRequest:
        """The request to send now.

        Args:
            key: What the config's function for it gave; it is called here unless given.

        Raises:
            APITimeoutError: there is no time left for it.
            TypeError, ValueError: it can't be built.
        """
        request, self._following = self._following, None
        if request is None:
            if self._request is None or self.needs_key:
                with self.others():
                    self._request = self.operation.build(self.config, key)
            request, self._redirects = self._request, 0
        request = self.deadline.limit(request)
        log_request(request)
        if self._hooks is not None and self._hooks.on_request is not None:
            with self.others():
                self._hooks.on_request(request)
        self._sent_at = self._clock()
        return request

    def came(self, request: HttpRequest, response: HttpResponse) -> bool:
        """Look at the response to a request; False where it is a redirect that is followed next.

        Raises:
            APIStatusError: a redirect that is refused.
            APIConnectionError: one too many.
        """
        response.request = request
        response.attempts, response.asked_to_wait = self.attempts + 1, self.asked_to_wait
        response.elapsed = self._clock() - self._sent_at
        log_response(response)
        if self._hooks is not None and self._hooks.on_response is not None:
            with self.others():
                self._hooks.on_response(response)
        self._following = follow_redirect(request, response)
        if self._following is None:
            return True
        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            self._following = None
            raise connection_error(
                TransportError(f"more than {MAX_REDIRECTS} redirects", retryable=False), request
            )
        return False

    def failed(self, error: APIError) -> float | None:
        """Note that an attempt failed: seconds to wait before the next, None for no next."""
        self._following = None
        if self._is_over:
            return None
        wait = decide(self._policy, self.attempts, error, time_left=self.deadline.left())
        self.attempts += 1
        error.attempts, self.asked_to_wait = self.attempts, error.retry_after
        if wait is not None:
            log_retry(error, wait)
            if self._hooks is not None and self._hooks.on_retry is not None:
                with self.others():
                    self._hooks.on_retry(error, wait)
        return wait


def run(
    call: Call[Any],
    send: Callable[[HttpRequest], HttpResponse],
    sleep: Callable[[float], object],
    receive: Callable[[HttpResponse, Call[Any]], T],
) -> T:
    """Make attempts until one succeeds, or the call says that it is enough.

    Args:
        call: Gives the requests, and decides.
        send: A transport's.
        sleep: Waits for some seconds.
        receive: Makes the result of a response, whose body is not read yet.

    Raises:
        APIError: what the last attempt ended in. Other exceptions pass at once.
    """
    with private_frames(only_exits=True):
        while True:
            try:
                return receive(exchange(call, send), call)
            except APIError as error:
                wait = call.failed(error)
                if wait is None:
                    raise
            sleep(wait)


def exchange(call: Call[Any], send: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """Send a request and bring the response; redirects that may be followed are.

    Raises:
        APIConnectionError: nothing came.
        APIStatusError: a redirect is refused.
    """
    while True:
        request = call.next_request()
        try:
            response = send(request)
        except TransportError as error:
            raise connection_error(error, request) from error.__cause__
        if not isinstance(response, HttpResponse):
            check_response(response, send)
        try:
            answered = call.came(request, response)
        except BaseException:
            response.close()
            raise
        if answered:
            return response
        response.close()


def whole(response: HttpResponse, call: Call[Any]) -> HttpResponse:
    """A response whose body has been read, within the deadline; an error status is raised."""
    try:
        if call.deadline.total is not None and not isinstance(response.body, bytes):
            response.body = Pieces(response, Limit(call.deadline))
        log_body(response.read())
    except TransportError as error:
        raise lost(error, response) from error.__cause__
    raise_for_status(response)
    return response


class Limit:
    """How long the pieces of a body may take: until the call's deadline, or for a shorter time."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._end: float | None = None
        self.is_set = deadline.total is not None
        """Whether there is one, or was."""

    @property
    def is_shortened(self) -> bool:
        """Whether a limit of its own is set."""
        return self._end is not None

    def shorten(self, seconds: float) -> None:
        """From now on, all that is to come must come within so many seconds."""
        self._end = self._deadline.clock() + seconds
        self.is_set = True

    def lift(self) -> None:
        """Forget what :meth:`shorten` set."""
        self._end = None

    def left(self) -> float | None:
        """Seconds that are left for the next piece; None without limit.

        Raises:
            TransportTimeout: none are.
        """
        left = self._deadline.left()
        if self._end is not None:
            near = self._end - self._deadline.clock()
            left = near if left is None else min(left, near)
        if left is not None and left <= 0:
            raise TransportTimeout("the time for the whole call is over")
        return left


class Pieces(Iterator[bytes]):
    """The pieces of a response's body, as long as there is time left."""

    def __init__(self, response: HttpResponse, limit: Limit) -> None:
        self._pieces = iter(response)
        self._response = response
        self._limit = limit

    def __next__(self) -> bytes:
        """The next piece.

        Raises:
            TransportTimeout: there is no time left for it.
        """
        if self._limit.is_set:
            self._limit_wait()
        return next(self._pieces)

    def _limit_wait(self) -> None:
        response, left = self._response, self._limit.left()
        longest = response.request.timeout.read if response.request is not None else None
        if response.limit_wait is not None:
            waits = [seconds for seconds in (left, longest) if seconds is not None]
            response.limit_wait(min(waits, default=None))
        self._limit.is_set = left is not None  # the last time, a limit was lifted


def lost(error: TransportError, response: HttpResponse) -> APIConnectionError:
    """A transport's exception, raised by a body, as the client's."""
    assert response.request is not None
    return connection_error(error, response.request, response)


def connection_error(
    error: TransportError, request: HttpRequest | None, response: HttpResponse | None = None
) -> APIConnectionError:
    """A transport's exception as the client's."""
    forget_frames(error)  # of a transport of the user's; ours have done so
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
