"""Response bodies as steps: bytes to return and pauses between them.

The reader decides how a pause is made: iteration sleeps, asynchronous iteration awaits, and the
loopback server takes the steps as they are, so that it can watch its connection meanwhile.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TypeAlias

import attrs

from chatlib.http import HttpResponse, TransportError

Step: TypeAlias = "bytes | float"
"""A part of a body: bytes to return, or seconds to wait."""


class Body:
    """A body made of steps, for synchronous or asynchronous iteration.

    Args:
        steps: Called each time that the body is read; returns its steps.

    >>> list(Body(lambda: iter([b"Hel", 0.01, b"lo"])))
    [b'Hel', b'lo']
    """

    def __init__(self, steps: Callable[[], Iterator[Step]]) -> None:
        self._steps = steps

    def steps(self) -> Iterator[Step]:
        """Return the bytes and the pauses without waiting."""
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
                import asyncio  # lazily: most tests do not need it

                await asyncio.sleep(step)


def steps_of(body: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> Iterator[Step]:
    """Return the steps of any body.

    Raises:
        TypeError: If the body is asynchronous.

    >>> list(steps_of(b"Hello"))
    [b'Hello']
    """
    if isinstance(body, Body):
        return body.steps()
    if isinstance(body, bytes):
        return iter((body,))
    if not isinstance(body, Iterable):
        raise TypeError("the body is asynchronous: await asend() and read it with `async for`")
    return iter(body)


class BodyObserver:
    """Receives the events of a body while it is read."""

    def on_piece(self, piece: bytes) -> None:
        """Handle a piece that is about to be returned to the reader."""

    def on_end(self, error: TransportError | None) -> None:
        """Handle the end of the body; ``error`` is None if it is complete."""

    def on_close(self) -> None:
        """Handle the close of the body, complete or not. May be called twice."""


def observe(response: HttpResponse, observer: BodyObserver) -> HttpResponse:
    """Return the response with an observer of its body, which keeps its pauses."""
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
