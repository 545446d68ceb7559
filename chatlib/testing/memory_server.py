"""The server in memory: a transport whose answers are scripted and whose requests are kept."""

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
    """More requests came than replies were scripted."""


class InMemoryServer:
    """Answers requests by a script, in memory. Give it to a client as its ``transport``.

    The script answers what asks for a completion. Completions that are asked for with ``store`` are
    kept, and the operations on them (retrieve, update, list, delete, messages) are answered from
    :attr:`store`, unless :meth:`add` scripted something for the operation.

    Args:
        replies: One for each request for a completion. A text is the answer of the model, a dict
            the whole body of a completion; :mod:`chatlib.testing` has functions for everything
            else. A function is given the request and returns any of these, or is a coroutine
            function for :meth:`asend`; an exception is raised.
        default: The reply to all requests after those.
        stored: False to let the script answer every request, whatever it asks for.
        limits: The rate limits: how many requests and tokens there are in the seconds that
            ``reset_requests`` and ``reset_tokens`` say (a minute, unless given). Once they are used
            up, requests are refused. Unless given, the headers speak of generous limits, which
            nobody enforces.

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
        """What was sent, oldest first."""
        self.store = Store()
        """The completions that were asked for with ``store``. ``store.keep()`` adds others."""
        self.slept: list[float] = []
        """How long :meth:`sleep` was told to wait, call by call."""
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
        """How many responses have not been closed: connections that were not given back."""
        return len(self._open)

    @property
    def replies_left(self) -> int:
        """How many scripted replies are still to be given."""
        return len(self._replies) + sum(map(len, self._scripts.values()))

    def add(self, *replies: ReplyLike, to: Name = "create") -> None:
        """Script more replies.

        Args:
            to: The operation that they answer. Those to ``"retrieve"``, ``"update"``, ``"list"``,
                ``"delete"`` and ``"messages"`` are given before the store is asked.
        """
        script = self._replies if to == "create" else self._scripts.setdefault(to, deque())
        script.extend(replies)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Keep the request and give the next reply; see :class:`chatlib.http.Transport`."""
        with private_frames():
            call = self._accept(request)
        with call:
            while not isinstance(call.reply, HttpResponse):
                call.reply = _resolve_reply(call.reply, request)
                if isinstance(call.reply, Coroutine):
                    call.reply.close()
                    raise TypeError("a reply that is a coroutine function needs asend()")
        return self._finish(call, call.reply)

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """:meth:`send`, awaited: pauses inside a reply are awaited too, and stop nobody else."""
        with private_frames():
            call = self._accept(request)
        with call:
            while not isinstance(call.reply, HttpResponse):
                call.reply = _resolve_reply(call.reply, request)
                if isinstance(call.reply, Coroutine):
                    call.reply = await call.reply
        return self._finish(call, call.reply)

    def sleep(self, seconds: float) -> None:
        """Let time pass for the rate limits, without waiting: a client's ``sleep=``."""
        with self._lock:
            self.slept.append(seconds)
            self._skipped_seconds += seconds

    def _accept(self, request: HttpRequest) -> _Exchange:
        """A request has come: count it, and look up how it is answered."""
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
        """The response as it is given: with its headers, and watched."""
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
        """Count the request, or refuse it, where it is one too many."""
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
        """Who stores the answer, where the request wants that."""
        if not self._stored or operation is None or operation.name != "create":
            return None
        if b'"store"' not in request.content:
            return None
        body = json_body(request)
        return StoringObserver(self.store, body) if body.get("store") is True else None

    def _next(self, operation: Route | None, request: HttpRequest) -> tuple[Any, bool]:
        """The reply, and whether it is one to a request for a completion."""
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
                f"request {len(self.requests)} came, but only {self._given} replies were "
                "scripted; add() more, or give the server a default="
            )
        return self._default, True

    def _count(self, tokens: int) -> None:
        with self._lock:
            self._limiter.consume("tokens", tokens)

    def _track_open(self, response: HttpResponse) -> None:
        inner: Callable[[], object] | None = response.on_close
        key = object()

        def closed() -> object:
            self._open.discard(key)  # without a lock: finalizers close responses too
            return inner() if inner is not None else None

        self._open.add(key)
        response.on_close = closed


@attrs.define
class _Exchange:
    """One request while it is answered; entered, its reply is made."""

    number: int
    reply: Any = None
    is_scripted: bool = False
    """Whether the reply is one to a request for a completion."""
    storing: StoringObserver | None = None
    """Who stores the answer."""
    scope: contextlib.AbstractContextManager[None] = attrs.field(factory=contextlib.nullcontext)

    def __enter__(self) -> None:
        self.scope.__enter__()

    def __exit__(self, *raised: Any) -> None:
        self.scope.__exit__(*raised)


class _ResponseObserver(BodyObserver):
    """Reads along: counts the tokens, and stores the completion."""

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
    """What a reply that is no response yet comes to next."""
    if isinstance(reply, BaseException):
        raise reply
    if isinstance(reply, (str, Mapping)):
        return answer(reply)
    if not callable(reply):
        raise TypeError(f"{type(reply).__name__} is no reply; see chatlib.testing")
    return reply(request)


__all__ = ["InMemoryServer", "NoReplyLeft", "Reply"]
