"""Raw access to responses.

``with_raw_response`` returns a :class:`RawResponse` for each call; ``with_streaming_response``
opens a :class:`StreamedResponse` in a ``with`` block, whose body is read on demand.
"""

from __future__ import annotations

import codecs
import datetime
import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from chatlib.client.call import Call, ReadDeadline, TimedBody, read_body
from chatlib.client.casting import cast
from chatlib.client.closing import Closing, Opening
from chatlib.client.failures import to_connection_error
from chatlib.client.streams import open_stream
from chatlib.errors import APIConnectionError
from chatlib.headers import Headers, RateLimits
from chatlib.http import HttpRequest, HttpResponse, ResponseTooLarge, TransportError
from chatlib.size_limits import DEFAULT_MAX_EVENT_BYTES
from chatlib.wire.sse import LineDecoder

if TYPE_CHECKING:
    import os

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
T = TypeVar("T")


class ResponseMetadata:
    """Status, headers and timing of a response.

    Args:
        response: The HTTP response.
    """

    def __init__(self, response: HttpResponse) -> None:
        self.http_response = response
        """The HTTP response."""

    @property
    def status_code(self) -> int:
        """The HTTP status code."""
        return self.http_response.status

    @property
    def headers(self) -> Headers:
        """The response headers."""
        return self.http_response.headers

    @property
    def request_id(self) -> str | None:
        """The ``x-request-id`` header."""
        return self.http_response.request_id

    @property
    def rate_limits(self) -> RateLimits:
        """The rate limits in the ``x-ratelimit-*`` headers."""
        return RateLimits.from_headers(self.headers)

    @property
    def retries_taken(self) -> int:
        """The number of failed attempts before this response."""
        return self.http_response.attempts - 1

    @property
    def elapsed(self) -> datetime.timedelta:
        """The time between sending the request and receiving the response headers."""
        return datetime.timedelta(seconds=self.http_response.elapsed)

    @property
    def http_version(self) -> str:
        """The version of HTTP, as far as transports tell: they speak "HTTP/1.1"."""
        return "HTTP/1.1"

    @property
    def is_closed(self) -> bool:
        """Whether the body has been read, or the response closed."""
        return isinstance(self.http_response.body, bytes)

    @property
    def http_request(self) -> HttpRequest:
        """The request; after redirects, the last one."""
        assert self.http_response.request is not None
        return self.http_response.request

    @property
    def method(self) -> str:
        """The HTTP method of the request."""
        return self.http_request.method

    @property
    def url(self) -> str:
        """The URL of the request."""
        return self.http_request.url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.http_response!r})"


class RawResponse(ResponseMetadata, Generic[T]):
    """The result of a call of ``with_raw_response``: the response and its content.

    Args:
        response: The response.
        call: The call that the response belongs to.
        parse: Decodes the content.
    """

    def __init__(self, response: HttpResponse, call: Call[Any], parse: Callable[[], T]) -> None:
        super().__init__(response)
        self._call = call
        self._parse = parse
        self._parsed: list[T] = []

    @overload
    def parse(self) -> T: ...

    @overload
    def parse(self, *, to: type[S]) -> S: ...

    def parse(self, *, to: Any = None) -> Any:
        """Return what the call returns without raw access: a completion, a page, a stream.

        Args:
            to: A type to return the body as, in place of that, see
                :func:`chatlib.client.casting.cast`.

        Raises:
            APIError: The body contains an error or is invalid.
        """
        if to is not None:
            return cast(read_body(self.http_response, self._call), to)
        if not self._parsed:
            self._parsed.append(self._parse())
        return self._parsed[0]

    @property
    def content(self) -> bytes:
        """The body; of a stream, the part that has not been read yet."""
        return read_body(self.http_response, self._call).read()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8-sig", "replace")

    def json(self) -> Any:
        """Return the body as decoded JSON."""
        return json.loads(self.content)


def raw_response(response: HttpResponse, call: Call[T]) -> RawResponse[T]:
    """Return the response with a parser for its content.

    Args:
        response: The response, whose body has not been read.
        call: The call that the response belongs to.

    Returns:
        The raw response.

    Raises:
        APIError: The status is an error, or the body could not be read.
    """
    if call.operation.is_stream:
        stream: Any = open_stream(response, call)
        return RawResponse(response, call, lambda: stream)
    response = read_body(response, call)
    return RawResponse(response, call, lambda: call.operation.read(response))


class ChunkDecoder(Protocol[S_co]):
    """Convert the chunks of a body into other chunks, without I/O."""

    def feed(self, chunk: bytes) -> Iterable[S_co]:
        """Return the output that is complete with this chunk.

        Args:
            chunk: The next bytes of the body.
        """
        ...

    def end(self) -> Iterable[S_co]:
        """Return the rest of the output at the end of the body."""
        ...


class ByteChunks:
    """Convert a body into chunks of a fixed size; the last one may be shorter.

    Args:
        size: The size in bytes; None to keep the chunks as they are.
    """

    def __init__(self, size: int | None = None) -> None:
        if size is not None and size < 1:
            raise ValueError(f"chunk_size is {size!r}; it must be at least 1")
        self._size = size
        self._held = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Return the chunks that are complete with this one."""
        if self._size is None:
            yield chunk
            return
        self._held += chunk
        while len(self._held) >= self._size:
            yield bytes(self._held[: self._size])
            del self._held[: self._size]

    def end(self) -> Iterable[bytes]:
        """Return the rest."""
        return [bytes(self._held)] if self._held else []


class TextChunks:
    """Decode a body as UTF-8; characters may be split between chunks.

    Args:
        size: The size of the chunks in bytes; None to keep the chunks as they are.
    """

    def __init__(self, size: int | None = None) -> None:
        self._resizer = ByteChunks(size)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Return the text that is complete with this chunk."""
        return filter(None, map(self._decode, self._resizer.feed(chunk)))

    def end(self) -> Iterable[str]:
        """Return the rest of the text."""
        return filter(None, [self._decode(b"".join(self._resizer.end()), True)])


class TextLines:
    """Decode a body as lines of text, without line endings.

    Args:
        most: The maximum size of a line in bytes.
    """

    def __init__(self, most: int = DEFAULT_MAX_EVENT_BYTES) -> None:
        self._lines, self._most = LineDecoder(), most

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the lines that are complete with this chunk.

        Raises:
            ResponseTooLarge: The incomplete line is larger than the maximum.
        """
        for line in self._lines.feed(chunk):
            yield line.decode("utf-8", "replace")
        if self._lines.open_size > self._most:
            raise ResponseTooLarge("max_event_bytes", self._most, "a line of the body")

    def end(self) -> list[str]:
        """Return the last line, if it has no line ending."""
        last = self._lines.flush()
        return [last.decode("utf-8", "replace")] if last else []


class UnreadResponse(ResponseMetadata, Generic[T]):
    """The base of responses whose body has not been read.

    Args:
        response: The response.
        call: The call that the response belongs to.
    """

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
        """Record, before the response is closed, whether its body is incomplete."""
        self._is_incomplete = self._is_incomplete or not isinstance(self.http_response.body, bytes)


class StreamedResponse(UnreadResponse[T], Closing):
    """A response whose body is read on demand: as bytes, text, lines, or decoded."""

    def read(self) -> bytes:
        """Read the whole body, or the rest of it. It may be called repeatedly.

        Returns:
            The body.

        Raises:
            APIConnectionError: The body could not be read, or the response was closed before.
        """
        self._check()
        try:
            return read_body(self.http_response, self._call).read()
        except APIConnectionError:
            self._is_incomplete = True
            raise

    def text(self) -> str:
        """Read the whole body and return it as text."""
        self.read()
        return self.http_response.text

    def json(self) -> Any:
        """Read the whole body and return it as decoded JSON."""
        return json.loads(self.read())

    @overload
    def parse(self) -> T: ...

    @overload
    def parse(self, *, to: type[S]) -> S: ...

    def parse(self, *, to: Any = None) -> Any:
        """Return what the call returns without raw access: a completion, a page, a stream.

        Args:
            to: A type to return the body as, in place of that, see
                :func:`chatlib.client.casting.cast`.

        Raises:
            APIError: The body could not be read, contains an error or is invalid.
        """
        if to is not None:
            self.read()
            return cast(self.http_response, to)
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
        """Iterate over the decompressed body.

        Args:
            chunk_size: The size of the chunks in bytes; None for chunks as they arrive.
        """
        return self._decode_body(ByteChunks(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """Iterate over the body as text.

        Args:
            chunk_size: The size of the chunks in bytes; None for chunks as they arrive.
        """
        return self._decode_body(TextChunks(chunk_size))

    def iter_lines(self) -> Iterator[str]:
        """Iterate over the lines of the body, without line endings."""
        limits = self.http_response.size_limits
        return self._decode_body(TextLines(limits.max_event_bytes))

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
        """Write the body to a file, chunk by chunk.

        Args:
            file: The path of the file.
        """
        with open(file, "wb") as target:
            for chunk in self.iter_bytes():
                target.write(chunk)

    def close(self) -> None:
        """Close the response and release its connection."""
        self._note_end()
        self.http_response.close()


def streamed_response(response: HttpResponse, call: Call[T]) -> StreamedResponse[T]:
    """Return the response with its body still to be read.

    Args:
        response: The response, whose body has not been read.
        call: The call that the response belongs to.

    Returns:
        The response.

    Raises:
        APIStatusError: The status is an error.
    """
    if not 200 <= response.status <= 299:
        read_body(response, call)
    return StreamedResponse(response, call)


class ResponseManager(Opening[StreamedResponse[T]]):
    """Make the call on entering a ``with`` block and close the response on leaving."""
