"""The loop of :mod:`chatlib.client.call`, awaited. What it does, that module decides."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable
from typing import Any, TypeVar

from chatlib.client.call import Call, to_connection_error
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
    """As :func:`chatlib.client.call.run`. ``sleep`` is awaited where it can be."""
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
    """As :func:`chatlib.client.call.exchange`."""
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
    """As :func:`chatlib.client.call.whole`."""
    try:
        log_body(await wait_for(call.deadline.left(), response.aread()))
    except TransportError as error:
        await response.aclose()
        raise to_connection_error(error, response.request, response) from error.__cause__
    raise_for_status(response)
    return response


async def _resolve_key(call: Call[Any]) -> Secret:
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
            del given  # some tools print the variables of a traceback


async def wait_for(seconds: float | None, work: Awaitable[T]) -> T:
    """Wait for some work, but not for longer than so many seconds; None is no limit.

    Raises:
        TransportTimeout: it took longer, and was cancelled.
    """
    if seconds is None:
        return await work
    # As asyncio.timeout, which Python 3.10 does not have.
    try:
        loop = running_loop()
    except RuntimeError:
        if isinstance(work, Coroutine):
            work.close()  # or else it would warn that nobody awaited it
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
            raise TransportTimeout("the time limit for the whole call was exceeded") from None
        raise
    finally:
        timer.cancel()


def _is_own_cancellation(task: asyncio.Task[Any]) -> bool:
    """Whether nobody else cancelled the task; before Python 3.11 that can't be told."""
    return sys.version_info < (3, 11) or task.uncancel() == 0
