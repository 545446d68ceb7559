"""Hooks and logging: what is reported while a call runs.

The logger is ``chatlib``. Level INFO has one line for each response and each retry; level DEBUG
adds one for each request, and the headers with secrets redacted. Bodies are never logged, only
their sizes.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import attrs

from chatlib.headers import redact_url

if TYPE_CHECKING:
    import logging

    from chatlib.errors import APIError
    from chatlib.http import HttpRequest, HttpResponse


@attrs.frozen(kw_only=True)
class Hooks:
    """Functions that a client calls. An exception that one raises ends the call."""

    on_request: Callable[[HttpRequest], object] | None = None
    """Called with each request before it is sent, including retries and redirects."""
    on_response: Callable[[HttpResponse], object] | None = None
    """Called with each response when its headers have arrived; the body has not been read."""
    on_retry: Callable[[APIError, float], object] | None = None
    """Called with the error of an attempt that is retried, and the delay in seconds."""

    def __attrs_post_init__(self) -> None:
        for name, hook in attrs.asdict(self, recurse=False).items():
            if hook is not None and not callable(hook):
                raise TypeError(f"{name} is a {type(hook).__name__}; it must be a function")
            if inspect.iscoroutinefunction(hook):
                raise TypeError(f"{name} is a coroutine function; hooks are called, not awaited")

    def merged(self, other: Hooks) -> Hooks:
        """Return these hooks, replaced by those that the other object has.

        Args:
            other: The hooks that take precedence.
        """
        given = {
            name: hook
            for name, hook in attrs.asdict(other, recurse=False).items()
            if hook is not None
        }
        return attrs.evolve(self, **given)


def log_request(request: HttpRequest) -> None:
    """Log a request before it is sent.

    Args:
        request: The request.
    """
    logger = _logger()
    if logger.isEnabledFor(10):
        logger.debug(
            "request: %s %s, headers %s, %d bytes",
            request.method,
            redact_url(request.url),
            request.headers.redacted(),
            len(request.content),
        )


def log_response(response: HttpResponse) -> None:
    """Log a response when its headers have arrived.

    Args:
        response: The response.
    """
    logger = _logger()
    if logger.isEnabledFor(20):
        request = response.request
        assert request is not None
        logger.info(
            "%s %s: %d in %.3f s, request id %s",
            request.method,
            redact_url(request.url),
            response.status,
            response.elapsed,
            response.request_id,
        )
        logger.debug("response: headers %s", response.headers.redacted())


def log_body(content: bytes) -> None:
    """Log the size of a response body.

    Args:
        content: The body.
    """
    logger = _logger()
    if logger.isEnabledFor(10):
        logger.debug("response: body of %d bytes", len(content))


def log_retry(error: APIError, seconds: float) -> None:
    """Log a failed attempt that is followed by another one.

    Args:
        error: The error that ended the attempt.
        seconds: The delay in seconds before the next attempt.
    """
    logger = _logger()
    if logger.isEnabledFor(20):
        logger.info("attempt %d failed, next in %.3f s: %s", error.attempts, seconds, error)


def log_to_stderr(level: str | None = None) -> None:
    """Write the log to standard error.

    Args:
        level: ``"info"`` or ``"debug"``; by default the environment variable ``OPENAI_LOG``. Any
            other value disables logging.
    """
    wanted = {"info": 20, "debug": 10}.get((level or os.environ.get("OPENAI_LOG", "")).lower())
    if wanted is None:
        return
    import logging

    logger = _logger()
    logger.setLevel(wanted)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(
            logging.Formatter("[%(asctime)s - %(name)s - %(levelname)s] %(message)s")
        )
        logger.addHandler(handler)


@lru_cache(maxsize=1)
def _logger() -> logging.Logger:
    import logging  # lazily: the pure functions do not need it

    return logging.getLogger("chatlib")
