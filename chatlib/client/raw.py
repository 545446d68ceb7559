"""Responses as they came, beside what they say: raw access, and bodies that are read as they come.

``with_raw_response`` gives a :class:`RawResponse` for each call; ``with_streaming_response`` opens
a :class:`StreamedResponse` in a ``with``, whose body is read piece by piece.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from chatlib.client.call import Call, ReadDeadline, TimedBody, to_connection_error, read_body
from chatlib.client.closing import Closing, Opening
from chatlib.client.streams import open_stream
from chatlib.errors import APIConnectionError
from chatlib.headers import Headers, RateLimits
from chatlib.http import HttpRequest, HttpResponse, TransportError
from chatlib.wire.sse import LineDecoder

if TYPE_CHECKING:
    import os

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
T = TypeVar("T")


class ResponseMetadata:
    """What is known of a response, however its body is read."""

    def __init__(self, response: HttpResponse) -> None:
        self.http_response = response
        """The response itself."""

    @property
    def status_code(self) -> int:
        """The status."""
        return self.http_response.status

    @property
    def headers(self) -> Headers:
        """The headers."""
        return self.http_response.headers

    @property
    def request_id(self) -> str | None:
        """The ``x-request-id`` header."""
        return self.http_response.request_id

    @property
    def rate_limits(self) -> RateLimits:
        """What the ``x-ratelimit-*`` headers say, as numbers and seconds."""
        return RateLimits.from_headers(self.headers)

    @property
    def retries_taken(self) -> int:
        """How many attempts failed before this answer came."""
        return self.http_response.attempts - 1

    @property
    def elapsed(self) -> float:
        """Seconds between sending the request and the headers of the response."""
        return self.http_response.elapsed

    @property
    def http_request(self) -> HttpRequest:
        """The request that it answers, the last one where there were redirects."""
        assert self.http_response.request is not None
        return self.http_response.request

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.http_request.method

    @property
    def url(self) -> str:
        """The URL of the request."""
        return self.http_request.url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.http_response!r})"


class RawResponse(ResponseMetadata, Generic[T]):
    """What a call of ``with_raw_response`` returns: the response, and what it says."""

    def __init__(self, response: HttpResponse, call: Call[Any], parse: Callable[[], T]) -> None:
        super().__init__(response)
        self._call = call
        self._parse = parse
        self._parsed: list[T] = []

    def parse(self) -> T:
        """What the call returns without raw access: a completion, a page, a stream, ...

        Raises:
            APIError: the body speaks of an error, or is not what it should be.
        """
        if not self._parsed:
            self._parsed.append(self._parse())
        return self._parsed[0]

    @property
    def content(self) -> bytes:
        """The body; of a stream, what was not read of it."""
        return read_body(self.http_response, self._call).read()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8-sig", "replace")

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.content)


def raw_response(response: HttpResponse, call: Call[T]) -> RawResponse[T]:
    """What ``with_raw_response`` makes of a response whose body is not read yet."""
    if call.operation.is_stream:
        stream: Any = open_stream(response, call)
        return RawResponse(response, call, lambda: stream)
    response = read_body(response, call)
    return RawResponse(response, call, lambda: call.operation.read(response))


class ChunkDecoder(Protocol[S_co]):
    """Makes other pieces of the pieces of a body, without I/O."""

    def feed(self, chunk: bytes) -> Iterable[S_co]:
        """What this piece completes."""
        ...

    def end(self) -> Iterable[S_co]:
        """What is left at the end."""
        ...


class ByteChunks:
    """Pieces of a size; the last one may be shorter. Without a size, as they come."""

    def __init__(self, size: int | None = None) -> None:
        if size is not None and size < 1:
            raise ValueError(f"chunk_size is {size!r}; it must be at least 1")
        self._size = size
        self._held = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The pieces that this one completes."""
        if self._size is None:
            yield chunk
            return
        self._held += chunk
        while len(self._held) >= self._size:
            yield bytes(self._held[: self._size])
            del self._held[: self._size]

    def end(self) -> Iterable[bytes]:
        """What is left."""
        return [bytes(self._held)] if self._held else []


class TextChunks:
    """Pieces as text, whose characters may have been cut anywhere."""

    def __init__(self, size: int | None = None) -> None:
        self._resizer = ByteChunks(size)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The text that this piece completes."""
        return filter(None, map(self._decode, self._resizer.feed(chunk)))

    def end(self) -> Iterable[str]:
        """The text of what is left."""
        return filter(None, [self._decode(b"".join(self._resizer.end()), True)])


class TextLines:
    """Lines of text, without their ends."""

    def __init__(self) -> None:
        self._lines = LineDecoder()

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that this piece completes."""
        return [line.decode("utf-8", "replace") for line in self._lines.feed(chunk)]

    def end(self) -> list[str]:
        """The line that has no end."""
        last = self._lines.flush()
        return [last.decode("utf-8", "replace")] if last else []


class UnreadResponse(ResponseMetadata, Generic[T]):
    """What responses have whose body is not read yet."""

    def __init__(self, response: HttpResponse, call: Call[T]) -> None:
        super().__init__(response)
        self._call = call
        self._parsed: list[T] = []
        self._is_incomplete = False

    def _check(self) -> None:
        if self._is_incomplete:
            error = TransportError("the response was closed before its body was read")
            raise to_connection_error(error, self.http_response.request, self.http_response)

    def _note_end(self) -> None:
        """Before it is closed: what was not read is gone."""
        self._is_incomplete = self._is_incomplete or not isinstance(self.http_response.body, bytes)


class StreamedResponse(UnreadResponse[T], Closing):
    """A response whose body is read as it comes, or whole: in bytes, as text, by lines, parsed."""

    def read(self) -> bytes:
        """The whole body, or what is left of it. May be called again.

        Raises:
            APIConnectionError: it does not come, or the response was closed before.
        """
        self._check()
        try:
            return read_body(self.http_response, self._call).read()
        except APIConnectionError:
            self._is_incomplete = True
            raise

    def text(self) -> str:
        """The whole body as text."""
        self.read()
        return self.http_response.text

    def json(self) -> Any:
        """The whole body, read as JSON."""
        return json.loads(self.read())

    def parse(self) -> T:
        """What the call returns without raw access: a completion, a page, a stream, ...

        Raises:
            APIError: the body does not come, speaks of an error, or is not what it should be.
        """
        if not self._parsed:
            self._check()
            response, call = self.http_response, self._call
            made: Any = (
                open_stream(response, call)
                if call.operation.is_stream
                else call.operation.read(read_body(response, call))
            )
            self._parsed.append(made)
        return self._parsed[0]

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The body in pieces as they come, or in pieces of a size. Decompressed."""
        return self._decode_body(ByteChunks(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """The body as text, in pieces as they come, or of so many bytes."""
        return self._decode_body(TextChunks(chunk_size))

    def iter_lines(self) -> Iterator[str]:
        """The lines of the body as they come, without their ends."""
        return self._decode_body(TextLines())

    def _decode_body(self, decoder: ChunkDecoder[S]) -> Iterator[S]:
        self._check()
        try:
            for chunk in TimedBody(self.http_response, ReadDeadline(self._call.deadline)):
                yield from decoder.feed(chunk)
            yield from decoder.end()
        except TransportError as error:
            raise to_connection_error(
                error, self.http_response.request, self.http_response
            ) from error.__cause__
        finally:
            self.close()

    def stream_to_file(self, file: str | os.PathLike[str]) -> None:
        """Write the body to a file, piece by piece."""
        with open(file, "wb") as target:
            for chunk in self.iter_bytes():
                target.write(chunk)

    def close(self) -> None:
        """Give the connection back; what has not come yet will not come."""
        self._note_end()
        self.http_response.close()


def streamed_response(response: HttpResponse, call: Call[T]) -> StreamedResponse[T]:
    """What ``with_streaming_response`` makes of a response whose body is not read yet."""
    if not 200 <= response.status <= 299:
        read_body(response, call)
    return StreamedResponse(response, call)


class ResponseManager(Opening[StreamedResponse[T]]):
    """Make the call on entering a ``with`` block and close the response on leaving."""
