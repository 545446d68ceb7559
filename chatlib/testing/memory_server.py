"""The in-memory server: a transport with scripted replies that keeps its requests."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias

import attrs

from chatlib.headers import Headers, RateLimits
from chatlib.http import HttpRequest, HttpResponse
from chatlib.redaction import private_frames
from chatlib.testing.bodies import BodyObserver, observe
from chatlib.testing.limits import RateLimiter, TokenCounter
from chatlib.testing.replies import Reply, answer, use_completion_id
from chatlib.testing.store import (
    ErrorReply,
    Name,
    Route,
    Store,
    StoringObserver,
    json_body,
    match_route,
)

ReplyLike: TypeAlias = (
    "str | Mapping[str, Any] | HttpResponse | BaseException | Callable[[HttpRequest], object]"
)


class NoReplyLeft(AssertionError):
    """Raised for a request when no scripted reply is left."""


class InMemoryServer:
    """A transport that returns scripted replies: pass it to a client as its ``transport``.

    The script answers requests for completions. Completions requested with ``store=True`` are
    stored, and the operations on them (retrieve, update, list, delete, messages) are answered from
    :attr:`store`, unless :meth:`add` scripted a reply for the operation.

    Args:
        replies: One reply for each request for a completion. A str is the text of the answer, a
            dict the whole body of a completion; :mod:`chatlib.testing` has functions for other
            replies. A function is called with the request and returns any of these; it may be a
            coroutine function for :meth:`asend`. An exception is raised.
        default: The reply to all further requests.
        stored: Whether to store completions; if False, the script answers every request.
        limits: The requests and tokens allowed in ``reset_requests`` and ``reset_tokens`` seconds
            (60 by default); further requests get status 429. By default, the headers show high
            limits that are not enforced.

    >>> server = InMemoryServer("Hello!", default="Hello again!")
    >>> from chatlib import OpenAI
    >>> client = OpenAI(api_key="test", transport=server)
    >>> message = {"role": "user", "content": "Hi"}
    >>> client.chat.completions.create(model="any", messages=[message], store=True).text
    'Hello!'
    >>> server.requests[0].json()["messages"]
    [{'role': 'user', 'content': 'Hi'}]
    >>> [kept["id"] for kept in server.store.completions]
    ['chatcmpl-scripted-1']
    """

    def __init__(
        self,
        *replies: ReplyLike,
        default: ReplyLike | None = None,
        stored: bool = True,
        limits: RateLimits | None = None,
    ) -> None:
        self.requests: list[HttpRequest] = []
        """The requests received, oldest first."""
        self.store = Store()
        """The stored completions; ``store.keep()`` adds one."""
        self.slept: list[float] = []
        """The seconds of each call of :meth:`sleep`."""
        self._replies: deque[ReplyLike] = deque(replies)
        self._scripts: dict[str, deque[ReplyLike]] = {}
        self._default = default
        self._stored = stored
        self._given = 0
        self._skipped_seconds = 0.0
        self._limiter = RateLimiter(limits, lambda: time.monotonic() + self._skipped_seconds)
        self._lock = threading.Lock()
        self._open: set[object] = set()

    @property
    def open_responses(self) -> int:
        """The number of responses that are not closed yet."""
        return len(self._open)

    @property
    def replies_left(self) -> int:
        """The number of scripted replies that are left."""
        return len(self._replies) + sum(map(len, self._scripts.values()))

    def add(self, *replies: ReplyLike, to: Name = "create") -> None:
        """Add replies to the script.

        Args:
            *replies: The replies, in order; as for the constructor.
            to: The operation that they answer. Replies to ``"retrieve"``, ``"update"``,
                ``"list"``, ``"delete"`` and ``"messages"`` take precedence over the store.
        """
        script = self._replies if to == "create" else self._scripts.setdefault(to, deque())
        script.extend(replies)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Record the request and return the next reply; see :class:`chatlib.http.Transport`."""
        with private_frames():
            call = self._accept(request)
        with call:
            while not isinstance(call.reply, HttpResponse):
                call.reply = _resolve_reply(call.reply, request)
                if isinstance(call.reply, Coroutine):
                    call.reply.close()
                    raise TypeError("a reply is a coroutine function: use asend(), or AsyncOpenAI")
        return self._finish(call, call.reply)

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Record the request and return the next reply; pauses in a reply do not block the loop."""
        with private_frames():
            call = self._accept(request)
        with call:
            while not isinstance(call.reply, HttpResponse):
                call.reply = _resolve_reply(call.reply, request)
                if isinstance(call.reply, Coroutine):
                    call.reply = await call.reply
        return self._finish(call, call.reply)

    def sleep(self, seconds: float) -> None:
        """Advance the clock of the rate limits without waiting: for ``OpenAI(sleep=...)``."""
        with self._lock:
            self.slept.append(seconds)
            self._skipped_seconds += seconds

    def _accept(self, request: HttpRequest) -> _Exchange:
        """Record a request and look up its reply."""
        operation = match_route(request)
        with self._lock:
            self.requests.append(request)
            call = _Exchange(len(self.requests))
            try:
                self._check_rate_limits()
                call.storing = self._make_storing_observer(operation, request)
                call.reply, call.is_scripted = self._next(operation, request)
            except ErrorReply as failure:
                call.reply = failure.reply
        if call.storing is not None:
            call.scope = use_completion_id(self.store.new_id())
        return call

    def _finish(self, call: _Exchange, response: HttpResponse) -> HttpResponse:
        """Return the response with its headers and observers."""
        if call.is_scripted:
            storing = call.storing if 200 <= response.status <= 299 else None
            response = observe(response, _ResponseObserver(self._count, storing))
        with self._lock:
            own = {"x-request-id": f"req_scripted_{call.number}", **self._limiter.headers()}
        headers = Headers(own).merged(response.headers)
        response = attrs.evolve(response, headers=headers)
        if not isinstance(response.body, bytes):
            self._track_open(response)
        return response

    def _check_rate_limits(self) -> None:
        """Count the request.

        Raises:
            ErrorReply: If a rate limit is exceeded.
        """
        used_up = self._limiter.exceeded()
        if used_up is None:
            self._limiter.consume("requests", 1)
            return
        kind, seconds, limit = used_up
        wait = max(math.ceil(round(seconds, 3)), 1)
        raise ErrorReply(
            f"Rate limit reached for {kind}: the limit is {limit}. Please try again in {wait}s.",
            code="rate_limit_exceeded",
            status=429,
            kind=kind,
            headers={"retry-after": str(wait)},
        )

    def _make_storing_observer(
        self, operation: Route | None, request: HttpRequest
    ) -> StoringObserver | None:
        """Return the observer that stores the answer, or None if it is not to be stored."""
        if not self._stored or operation is None or operation.name != "create":
            return None
        if b'"store"' not in request.content:
            return None
        body = json_body(request)
        return StoringObserver(self.store, body) if body.get("store") is True else None

    def _next(self, operation: Route | None, request: HttpRequest) -> tuple[Any, bool]:
        """Return the next reply, and whether it comes from the script of completions."""
        if operation is not None and operation.name != "create":
            script = self._scripts.get(operation.name)
            if script:
                return script.popleft(), False
            if self._stored:
                return self.store.answer(operation, request), False
        if self._replies:
            self._given += 1
            return self._replies.popleft(), True
        if self._default is None:
            raise NoReplyLeft(
                f"no scripted reply is left for request {len(self.requests)} ({self._given} were "
                "scripted): add() more, or pass default="
            )
        return self._default, True

    def _count(self, tokens: int) -> None:
        with self._lock:
            self._limiter.consume("tokens", tokens)

    def _track_open(self, response: HttpResponse) -> None:
        inner: Callable[[], object] | None = response.on_close
        key = object()

        def closed() -> object:
            self._open.discard(key)  # no lock: finalizers may close responses
            return inner() if inner is not None else None

        self._open.add(key)
        response.on_close = closed


@attrs.define
class _Exchange:
    """A request that is being answered; its reply is made inside of ``with``."""

    number: int
    reply: Any = None
    is_scripted: bool = False
    """Whether the reply comes from the script of completions."""
    storing: StoringObserver | None = None
    """The observer that stores the answer."""
    scope: contextlib.AbstractContextManager[None] = attrs.field(factory=contextlib.nullcontext)

    def __enter__(self) -> None:
        self.scope.__enter__()

    def __exit__(self, *raised: Any) -> None:
        self.scope.__exit__(*raised)


class _ResponseObserver(BodyObserver):
    """Counts the tokens of an answer and passes it to the observer that stores it."""

    def __init__(self, count: Callable[[int], None], storing: StoringObserver | None) -> None:
        self._count, self._storing = count, storing
        self._tokens = TokenCounter()

    def on_piece(self, piece: bytes) -> None:
        more = self._tokens.feed(piece)
        if more:
            self._count(more)
        if self._storing is not None:
            self._storing.on_piece(piece)

    def on_end(self, error: Any) -> None:
        if self._storing is not None:
            self._storing.on_end(error)


def _resolve_reply(reply: object, request: HttpRequest) -> object:
    """Return the next step from a scripted reply to a response."""
    if isinstance(reply, BaseException):
        raise reply
    if isinstance(reply, (str, Mapping)):
        return answer(reply)
    if not callable(reply):
        raise TypeError(f"{type(reply).__name__} is not a valid reply: see chatlib.testing")
    return reply(request)


__all__ = ["InMemoryServer", "NoReplyLeft", "Reply"]
