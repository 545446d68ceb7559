"""Execute one call asynchronously: the loop of :mod:`chatlib.client.call`, awaited."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable
from typing import Any, TypeVar

from chatlib.client.call import Call, read_error
from chatlib.client.failures import TOO_LONG, to_connection_error
from chatlib.client.hooks import log_body
from chatlib.config import Secret
from chatlib.errors import APIError
from chatlib.http import HttpRequest, HttpResponse, TransportError, TransportTimeout, running_loop
from chatlib.redaction import private_frames
from chatlib.transports.checking import check_response
from chatlib.wire.response import raise_for_status

T = TypeVar("T")
Send = Callable[[HttpRequest], Awaitable[HttpResponse]]


async def arun(
    call: Call[Any],
    send: Send,
    sleep: Callable[[float], object],
    receive: Callable[[HttpResponse, Call[Any]], Awaitable[T]],
) -> T:
    """Make attempts until one succeeds or the call must not be retried.

    See :func:`chatlib.client.call.run`.

    Args:
        call: The call.
        send: Sends a request; awaited.
        sleep: Sleeps for a number of seconds; awaited if it returns an awaitable.
        receive: Converts a response into the result; awaited.

    Returns:
        The result of ``receive``.

    Raises:
        APIError: The last attempt failed.
    """
    with private_frames(only_exits=True):
        while True:
            try:
                return await receive(await asend_request(call, send), call)
            except APIError as error:
                wait = call.on_failure(error)
                if wait is None:
                    raise
            slept = sleep(wait)
            if isawaitable(slept):
                await slept


async def asend_request(call: Call[Any], send: Send) -> HttpResponse:
    """Send the next request of a call and follow redirects.

    See :func:`chatlib.client.call.send_request`.

    Args:
        call: The call.
        send: Sends a request; awaited.

    Returns:
        The response, whose body has not been read.

    Raises:
        APIConnectionError: No response was received.
        APIStatusError: A redirect is not allowed.
    """
    while True:
        key = await _resolve_key(call) if call.needs_key else None
        request = call.next_request(key)
        try:
            response = await wait_for(call.deadline.left(), send(request))
        except TransportError as error:
            raise to_connection_error(error, request) from error.__cause__
        if not isinstance(response, HttpResponse):
            check_response(response, send)
        try:
            answered = call.on_response(request, response)
        except BaseException:
            await response.aclose()
            raise
        if answered:
            return response
        await response.aclose()


async def aread_body(response: HttpResponse, call: Call[Any]) -> HttpResponse:
    """Read the whole body of a response, within the deadline, and check its status.

    See :func:`chatlib.client.call.read_body`.

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
        log_body(await wait_for(call.deadline.left(), response.aread()))
    except TransportError as error:
        await response.aclose()
        raise read_error(error, response) from error.__cause__
    raise_for_status(response)
    return response


async def _resolve_key(call: Call[Any]) -> Secret:
    """Return the API key from the function of the configuration."""
    function: Any = call.config.api_key
    with call.user_callback():
        given = function()
        try:
            if isawaitable(given):
                return Secret(await wait_for(call.deadline.left(), given))
            return Secret(given)
        except TransportTimeout as error:
            raise to_connection_error(error, None) from None
        finally:
            del given  # so that tracebacks with local variables do not show it


async def wait_for(seconds: float | None, work: Awaitable[T]) -> T:
    """Await with a timeout.

    Args:
        seconds: The timeout in seconds; None for no timeout.
        work: The awaitable.

    Returns:
        The result of the awaitable.

    Raises:
        TransportTimeout: The timeout expired; the awaitable was cancelled.
    """
    if seconds is None:
        return await work
    # Like asyncio.timeout(), which Python 3.10 lacks.
    try:
        loop = running_loop()
    except RuntimeError:
        if isinstance(work, Coroutine):
            work.close()  # avoids the warning about a coroutine that was never awaited
        raise
    task, is_over = asyncio.current_task(loop), False
    assert task is not None

    def end() -> None:
        nonlocal is_over
        is_over = True
        task.cancel()

    timer = loop.call_later(max(seconds, 0), end)
    try:
        return await work
    except asyncio.CancelledError:
        if is_over and _is_own_cancellation(task):
            raise TransportTimeout(TOO_LONG, limit="total") from None
        raise
    finally:
        timer.cancel()


def _is_own_cancellation(task: asyncio.Task[Any]) -> bool:
    """Whether nobody else cancelled the task; before Python 3.11 this is unknown, and assumed."""
    return sys.version_info < (3, 11) or task.uncancel() == 0
