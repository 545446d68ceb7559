"""Who is told of a call while it runs: the hooks of its client, and the log.

The logger is ``chatlib``. At the level info it has a line for each response and each retry; at
debug also one for each request, and the headers with their secrets struck out. Bodies are never
logged, only their sizes.
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
    """Functions that a client calls. What they raise ends the call and reaches its caller."""

    on_request: Callable[[HttpRequest], object] | None = None
    """Is told of each request, just before it is sent: each attempt, each redirect."""
    on_response: Callable[[HttpResponse], object] | None = None
    """Is told of each response, when its headers are there and its body is not read yet."""
    on_retry: Callable[[APIError, float], object] | None = None
    """Is told of each failure after which there is another attempt, and in how many seconds."""

    def __attrs_post_init__(self) -> None:
        for name, hook in attrs.asdict(self, recurse=False).items():
            if hook is not None and not callable(hook):
                raise TypeError(f"{name} is a {type(hook).__name__}; it must be a function")
            if inspect.iscoroutinefunction(hook):
                raise TypeError(f"{name} is a coroutine function; hooks are called, not awaited")

    def merged(self, other: Hooks) -> Hooks:
        """These hooks, with those of the other in their place where it has them."""
        given = {
            name: hook
            for name, hook in attrs.asdict(other, recurse=False).items()
            if hook is not None
        }
        return attrs.evolve(self, **given)


def log_request(request: HttpRequest) -> None:
    """Log a request that is about to be sent."""
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
    """Log a response whose headers have come."""
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
    """Log that a body has come."""
    logger = _logger()
    if logger.isEnabledFor(10):
        logger.debug("response: body of %d bytes", len(content))


def log_retry(error: APIError, seconds: float) -> None:
    """Log a failure after which there is another attempt."""
    logger = _logger()
    if logger.isEnabledFor(20):
        logger.info("attempt %d failed, next in %.3f s: %s", error.attempts, seconds, error)


def log_to_stderr(level: str | None = None) -> None:
    """Show the log on the standard error stream.

    Args:
        level: ``"info"`` or ``"debug"``; unless given, what the variable ``OPENAI_LOG`` says, and
            nothing where it says neither.
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
    import logging  # here, as building and reading need none

    return logging.getLogger("chatlib")
