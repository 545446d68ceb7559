"""Bodies that come in steps: bytes, and the pauses between them.

Who reads a body decides how its pauses pass: a ``for`` sleeps, an ``async for`` awaits, and a
server on sockets takes the steps as they are and looks after its connection meanwhile.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TypeAlias

import attrs

from chatlib.http import HttpResponse, TransportError

Step: TypeAlias = "bytes | float"
"""A part of a body: bytes to give, or seconds to wait."""


class Body:
    """A body of steps, to be iterated or awaited.

    Args:
        steps: Makes the steps; called for each time that the body is read.

    >>> list(Body(lambda: iter([b"Hel", 0.01, b"lo"])))
    [b'Hel', b'lo']
    """

    def __init__(self, steps: Callable[[], Iterator[Step]]) -> None:
        self._steps = steps

    def steps(self) -> Iterator[Step]:
        """The bytes and the pauses; nobody waits."""
        return self._steps()

    def __iter__(self) -> Iterator[bytes]:
        for step in self.steps():
            if isinstance(step, bytes):
                yield step
            else:
                time.sleep(step)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self.steps():
            if isinstance(step, bytes):
                yield step
            else:
                import asyncio  # here, as most tests have no use for it

                await asyncio.sleep(step)


def steps_of(body: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> Iterator[Step]:
    """Any body as steps.

    >>> list(steps_of(b"Hello"))
    [b'Hello']
    """
    if isinstance(body, Body):
        return body.steps()
    if isinstance(body, bytes):
        return iter((body,))
    if not isinstance(body, Iterable):
        raise TypeError("the body comes asynchronously: await it, by asend() and `async for`")
    return iter(body)


class BodyObserver:
    """Somebody who is told what passes through a body."""

    def on_piece(self, piece: bytes) -> None:
        """A piece has come, and is about to be given to the reader."""

    def on_end(self, error: TransportError | None) -> None:
        """The body has ended: well, or in this error."""

    def on_close(self) -> None:
        """The reader is gone, whether the body had ended or not. May be told twice."""


def observe(response: HttpResponse, observer: BodyObserver) -> HttpResponse:
    """The response, with somebody watching its body. Its pauses stay what they are."""
    if isinstance(response.body, bytes):
        observer.on_piece(response.body)
        observer.on_end(None)
        observer.on_close()
        return response
    inner = response.on_close

    def closed() -> object:
        observer.on_close()
        return inner() if inner is not None else None

    return attrs.evolve(response, body=_ObservedBody(response.body, observer), on_close=closed)


class _ObservedBody(Body):
    def __init__(
        self, body: Iterable[bytes] | AsyncIterable[bytes], observer: BodyObserver
    ) -> None:
        self._body, self._observer = body, observer

    def steps(self) -> Iterator[Step]:
        with _observed_by(self._observer):
            for step in steps_of(self._body):
                if isinstance(step, bytes):
                    self._observer.on_piece(step)
                yield step

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._body, AsyncIterable) and not isinstance(self._body, Body):
            with _observed_by(self._observer):
                async for piece in self._body:
                    self._observer.on_piece(piece)
                    yield piece
        else:
            async for piece in super().__aiter__():
                yield piece


@contextlib.contextmanager
def _observed_by(observer: BodyObserver) -> Iterator[None]:
    try:
        yield
        observer.on_end(None)
    except TransportError as error:
        observer.on_end(error)
        raise
    finally:
        observer.on_close()
