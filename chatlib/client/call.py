"""Execute one call: build and send the request, follow redirects, and retry.

:class:`Call` is the state of a call and decides what happens next, without I/O. :func:`run` is the
loop around it; it sends and sleeps through the functions it is given, so that tests need no clock.
The asynchronous loop in :mod:`chatlib.client.async_call` uses the same :class:`Call`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import attrs

from chatlib.client.failures import TOO_LONG, to_connection_error
from chatlib.client.hooks import Hooks, log_body, log_request, log_response, log_retry
from chatlib.config import Config, Secret, check_max_retries
from chatlib.errors import APIError, APITimeoutError
from chatlib.http import (
    HttpRequest,
    HttpResponse,
    TransportError,
    TransportTimeout,
    is_omitted,
    omit,
)
from chatlib.redaction import private_frames
from chatlib.retry import RetryPolicy, retry_delay
from chatlib.transports.checking import check_response
from chatlib.urls import with_host
from chatlib.wire.error_bodies import error_from_response
from chatlib.wire.redirects import follow_redirect
from chatlib.wire.request import Operation, timeout_of
from chatlib.wire.response import raise_for_status

T = TypeVar("T")

MAX_REDIRECTS = 5


@attrs.frozen
class Deadline:
    """The time at which a call must have ended.

    Args:
        total: The time limit in seconds; None for no limit.
        clock: Returns the time in seconds.
        start: When the call started.
    """

    total: float | None
    clock: Callable[[], float] = time.monotonic
    start: float = attrs.field(default=attrs.Factory(lambda self: self.clock(), takes_self=True))

    def left(self) -> float | None:
        """Return the remaining time in seconds; None if there is no limit."""
        return None if self.total is None else self.start + self.total - self.clock()

    def limit(self, request: HttpRequest) -> HttpRequest:
        """Return the request with timeouts no longer than the remaining time.

        Args:
            request: The request to send next.

        Returns:
            The same request, or a copy with shorter timeouts.

        Raises:
            APITimeoutError: No time is left.
        """
        left = self.left()
        if left is None:
            return request
        if left <= 0:
            why = with_host(f"{TOO_LONG} (Timeout: total={self.total:g} s)", request.url)
            raise APITimeoutError(request, message=f"Request timed out: {why}.")
        return attrs.evolve(request, timeout=request.timeout.within(left))


class Call(Generic[T]):
    """The state of one call: the next request, the last outcome, and whether to retry.

    Args:
        operation: The operation to execute.
        config: The client configuration.
        hooks: The hooks of the client.
        clock: Returns the time in seconds; tests pass their own.
        policy: The retry policy; by default that of the call's options and the configuration.
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
        """The number of failed attempts."""
        self.asked_to_wait: float | None = None
        """The delay in seconds that the server requested after the last attempt."""
        self._hooks = hooks
        self._clock = clock
        self._sent_at = 0.0
        self._redirects = 0
        self._request: HttpRequest | None = None
        self._following: HttpRequest | None = None
        self._is_over = False
        total = timeout_of(config, operation.options).total
        # Starts now: the time that a function takes to return the API key counts.
        self.deadline = Deadline(total, clock, clock())
        """The deadline of the whole call."""
        count = operation.options.get("max_retries", omit)
        self._policy = policy or RetryPolicy(
            config.max_retries if is_omitted(count) else check_max_retries(count)
        )

    @property
    def needs_key(self) -> bool:
        """Whether the next request needs an API key from a function."""
        return callable(self.config.api_key) and self._following is None

    @contextmanager
    def user_callback(self) -> Iterator[None]:
        """Run a user callback; an APIError it raises is never retried."""
        try:
            yield
        except APIError:
            self._is_over = True
            raise

    def next_request(self, key: Secret | None = None) -> HttpRequest:
        """Return the next request to send.

        Args:
            key: The API key that the function of the configuration returned; if None, the
                function is called here.

        Returns:
            The request, with timeouts limited to the remaining time.

        Raises:
            APITimeoutError: The deadline of the call has passed.
            TypeError: The request cannot be built from the parameters.
            ValueError: The request cannot be built from the parameters.
        """
        request, self._following = self._following, None
        if request is None:
            if self._request is None or self.needs_key:
                with self.user_callback():
                    self._request = self.operation.build(self.config, key)
            request, self._redirects = self._request, 0
        request = self.deadline.limit(request)
        log_request(request)
        if self._hooks is not None and self._hooks.on_request is not None:
            with self.user_callback():
                self._hooks.on_request(request)
        self._sent_at = self._clock()
        return request

    def on_response(self, request: HttpRequest, response: HttpResponse) -> bool:
        """Record the response to a request.

        Args:
            request: The request.
            response: The response, whose body has not been read.

        Returns:
            True if this is the final response; False if it is a redirect to be followed next.

        Raises:
            APIStatusError: The redirect is not allowed.
            APIConnectionError: There were too many redirects.
        """
        response.request = request
        response.attempts, response.asked_to_wait = self.attempts + 1, self.asked_to_wait
        response.elapsed = self._clock() - self._sent_at
        log_response(response)
        if self._hooks is not None and self._hooks.on_response is not None:
            with self.user_callback():
                self._hooks.on_response(response)
        self._following = follow_redirect(request, response)
        if self._following is None:
            return True
        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            self._following = None
            raise to_connection_error(
                TransportError(f"more than {MAX_REDIRECTS} redirects", retryable=False), request
            )
        return False

    def on_failure(self, error: APIError) -> float | None:
        """Record a failed attempt.

        Args:
            error: The error that ended the attempt.

        Returns:
            The delay in seconds before the next attempt; None means do not retry.
        """
        self._following = None
        if self._is_over:
            return None
        wait = retry_delay(self._policy, self.attempts, error, time_left=self.deadline.left())
        self.attempts += 1
        error.attempts, self.asked_to_wait = self.attempts, error.retry_after
        if wait is not None:
            log_retry(error, wait)
            if self._hooks is not None and self._hooks.on_retry is not None:
                with self.user_callback():
                    self._hooks.on_retry(error, wait)
        return wait


def run(
    call: Call[Any],
    send: Callable[[HttpRequest], HttpResponse],
    sleep: Callable[[float], object],
    receive: Callable[[HttpResponse, Call[Any]], T],
) -> T:
    """Make attempts until one succeeds or the call must not be retried.

    Args:
        call: The call.
        send: Sends a request, as :meth:`chatlib.http.Transport.send`.
        sleep: Sleeps for a number of seconds.
        receive: Converts a response, whose body has not been read, into the result.

    Returns:
        The result of ``receive``.

    Raises:
        APIError: The last attempt failed. Other exceptions are not caught.
    """
    with private_frames(only_exits=True):
        while True:
            try:
                return receive(send_request(call, send), call)
            except APIError as error:
                wait = call.on_failure(error)
                if wait is None:
                    raise
            sleep(wait)


def send_request(call: Call[Any], send: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """Send the next request of a call and follow redirects.

    Args:
        call: The call.
        send: Sends a request.

    Returns:
        The response, whose body has not been read.

    Raises:
        APIConnectionError: No response was received.
        APIStatusError: A redirect is not allowed.
    """
    while True:
        request = call.next_request()
        try:
            response = send(request)
        except TransportError as error:
            raise to_connection_error(error, request) from error.__cause__
        if not isinstance(response, HttpResponse):
            check_response(response, send)
        try:
            answered = call.on_response(request, response)
        except BaseException:
            response.close()
            raise
        if answered:
            return response
        response.close()


def read_body(response: HttpResponse, call: Call[Any]) -> HttpResponse:
    """Read the whole body of a response, within the deadline, and check its status.

    Args:
        response: The response.
        call: The call that the response belongs to.

    Returns:
        The same response; its body is bytes.

    Raises:
        APIConnectionError: The body could not be read.
        APIStatusError: The status is an error.
    """
    try:
        if call.deadline.total is not None and not isinstance(response.body, bytes):
            response.body = TimedBody(response, ReadDeadline(call.deadline))
        log_body(response.read())
    except TransportError as error:
        raise read_error(error, response) from error.__cause__
    raise_for_status(response)
    return response


def read_error(error: TransportError, response: HttpResponse) -> APIError:
    """Return the exception for a body that could not be read to its end.

    An error status says more than that its body broke off.

    Args:
        error: What the transport raised.
        response: The response.

    Returns:
        The error of the status, or else a connection error.
    """
    if 200 <= response.status <= 299:
        return to_connection_error(error, response.request, response)
    return error_from_response(response)


class ReadDeadline:
    """The time limit for reading a body: the deadline of the call, or an earlier one.

    Args:
        deadline: The deadline of the call.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._end: float | None = None
        self.is_set = deadline.total is not None
        """Whether a limit is in effect, or was."""

    @property
    def is_shortened(self) -> bool:
        """Whether an earlier deadline is in effect."""
        return self._end is not None

    def shorten(self, seconds: float) -> None:
        """Set an earlier deadline.

        Args:
            seconds: The time in seconds from now in which the rest must arrive.
        """
        self._end = self._deadline.clock() + seconds
        self.is_set = True

    def lift(self) -> None:
        """Remove the deadline that :meth:`shorten` set."""
        self._end = None

    def left(self) -> float | None:
        """Return the remaining time.

        Returns:
            The time in seconds; None if there is no limit.

        Raises:
            TransportTimeout: No time is left.
        """
        left = self._deadline.left()
        if self._end is not None:
            near = self._end - self._deadline.clock()
            left = near if left is None else min(left, near)
        if left is not None and left <= 0:
            raise TransportTimeout(TOO_LONG, limit="total")
        return left


class TimedBody(Iterator[bytes]):
    """An iterator over the chunks of a response body that enforces a deadline.

    Args:
        response: The response.
        limit: The deadline.
    """

    def __init__(self, response: HttpResponse, limit: ReadDeadline) -> None:
        self._chunks = iter(response)
        self._response = response
        self._limit = limit

    def __next__(self) -> bytes:
        """Return the next chunk.

        Raises:
            TransportTimeout: No time is left.
        """
        if self._limit.is_set:
            self._limit_wait()
        return next(self._chunks)

    def _limit_wait(self) -> None:
        response, left = self._response, self._limit.left()
        longest = response.request.timeout.read if response.request is not None else None
        if response.limit_wait is not None:
            waits = [seconds for seconds in (left, longest) if seconds is not None]
            response.limit_wait(min(waits, default=None))
        self._limit.is_set = left is not None  # False once a lifted limit has been reset
