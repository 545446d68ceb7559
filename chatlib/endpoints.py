"""Each operation as a pure pair: parameters to a request, a response to a type or an exception.

Nothing here sends anything. ``build_*`` makes an :class:`~chatlib.http.HttpRequest`, ``read_*``
takes an :class:`~chatlib.http.HttpResponse`; how the two travel is somebody else's business::

    request = build_create(config, model="gpt-5", messages=[UserMessage(content="Hello")])
    response = anything_that_speaks_http(request)
    completion = read_completion(response)
"""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from chatlib._omit import Omit, omit
from chatlib._version import __version__
from chatlib.accumulate import Accumulator, joined
from chatlib.codec import converter, from_json, to_json, to_request
from chatlib.config import Config, Secret
from chatlib.errors import (
    APIResponseValidationError,
    APIStatusError,
    ErrorFound,
    IncompleteStreamError,
    error_from_response,
    error_inside,
    find_error,
    preview,
)
from chatlib.http import Headers, HttpRequest, HttpResponse, Timeout
from chatlib.sse import ServerSentEvent, SSEDecoder
from chatlib.types.base import JsonObject
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.completion import ChatCompletion
from chatlib.types.params import CREATE_PARAMS, RequestOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from chatlib.types.params import CreateOptions

REQUEST_OPTIONS = frozenset(RequestOptions.__annotations__)

USER_AGENT = f"chatlib/{__version__}"


# Requests -------------------------------------------------------------------------------------


def build_create(
    config: Config, *, stream: bool | Omit | None = omit, **params: Unpack[CreateOptions]
) -> HttpRequest:
    """The request that creates a chat completion: ``POST /chat/completions``.

    Args:
        config: Whom to ask, and as whom. A key that is a function is called.
        stream: Whether the answer shall come as an event stream, for :func:`read_chunks`.
        params: The parameters of the API (:class:`~chatlib.types.CreateParams`) and the options
            of a request (:class:`~chatlib.types.RequestOptions`).

    Raises:
        TypeError: a parameter is unknown or missing, or a value in it is not JSON.

    >>> request = build_create(
    ...     Config(api_key="secret"), model="gpt-5", messages=[{"role": "user", "content": "Hi"}]
    ... )
    >>> request.method, request.url
    ('POST', 'https://api.openai.com/v1/chat/completions')
    >>> request.json()
    {'model': 'gpt-5', 'messages': [{'role': 'user', 'content': 'Hi'}]}
    """
    options, body = split_options({"stream": stream, **params})
    content = create_content(body, options)
    return build_request(
        config,
        "POST",
        "/chat/completions",
        content=content,
        accept=accept_for(stream),
        options=options,
    )


def create_content(params: Mapping[str, Any], options: RequestOptions) -> bytes:
    """The body of a create call, encoded: its parameters, with ``extra_body`` merged over them."""
    unknown = [name for name in params if name not in CREATE_PARAMS]
    if unknown:
        near = difflib.get_close_matches(unknown[0], CREATE_PARAMS | REQUEST_OPTIONS, 1)
        raise TypeError(
            f"create() has no parameter {unknown[0]!r}"
            + (f"; did you mean {near[0]!r}?" if near else "")
            + " A field of a server's own goes into extra_body={...}."
        )
    missing = [name for name in ("messages", "model") if params.get(name, omit) is omit]
    if missing:
        raise TypeError(f"create() needs {' and '.join(map(repr, missing))}")
    messages = params["messages"]
    if isinstance(messages, (str, bytes, Mapping, JsonObject)) or not isinstance(
        messages, Iterable
    ):
        raise TypeError(
            f"messages is a {type(messages).__name__}; it must be a list of messages, "
            'such as [{"role": "user", "content": "Hello"}]'
        )
    if inspect.isclass(params.get("response_format")):
        raise TypeError("response_format is a class: create() can't read it back, but parse() can")
    messages = list(messages)
    for at, message in enumerate(messages):
        if not (isinstance(message, (Mapping, JsonObject)) or hasattr(message, "model_dump")):
            raise TypeError(
                f"messages[{at}] is a {type(message).__name__}; a message is a dict, or an object "
                "such as chatlib.UserMessage(content=...)"
            )
        if isinstance(message, ChatCompletion):
            raise TypeError(f"messages[{at}] is a completion; send its choices[0].message")
    body = to_request({**params, "messages": messages})
    extra = options.get("extra_body")
    return to_json(merged(body, to_request(extra, "extra_body")) if extra is not None else body)


def merged(under: Any, over: Any) -> Any:
    """Two JSON values, the second one winning; objects are merged key by key."""
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        return {**under, **{k: merged(under[k], v) if k in under else v for k, v in over.items()}}
    return over


def split_options(params: Mapping[str, Any]) -> tuple[RequestOptions, dict[str, Any]]:
    """The options of a request, and the rest: what goes into its body or query."""
    options: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in params.items():
        if value is not omit:
            (options if name in REQUEST_OPTIONS else rest)[name] = value
    return cast("RequestOptions", options), rest


def accept_for(stream: object) -> str:
    """The media type to ask for."""
    return "text/event-stream" if stream is True else "application/json"


def build_request(
    config: Config,
    method: str,
    path: str,
    *,
    content: bytes = b"",
    query: Mapping[str, object] | None = None,
    accept: str = "application/json",
    options: RequestOptions | None = None,
    key: Secret | None = None,
) -> HttpRequest:
    """Any request to the API: the URL, the headers and the limits of a call, put together.

    Args:
        path: What comes after the base URL.
        options: What the caller gave for this call: its headers, query and timeout win.
        key: In place of the key in ``config``.
    """
    options = options or {}
    headers = Headers({"Accept": accept, "User-Agent": USER_AGENT})
    if content:
        headers = headers.merged({"Content-Type": "application/json"})
    key = key or current_key(config)
    own = {
        "Authorization": f"Bearer {key.reveal()}" if key else None,
        "OpenAI-Organization": config.organization,
        "OpenAI-Project": config.project,
        "Idempotency-Key": options.get("idempotency_key"),
    }
    given = options.get("extra_headers") or {}
    for layer in (own, config.default_headers, given):
        headers = headers.merged({name: _header(name, v) for name, v in layer.items()})
    timeout = options.get("timeout", omit)
    if timeout is omit:
        timeout = config.timeout
    return HttpRequest(
        method,
        _url(config.base_url, path, config.default_query, query, options.get("extra_query")),
        headers,
        content,
        timeout if isinstance(timeout, Timeout) else Timeout(timeout),
    )


def current_key(config: Config) -> Secret | None:
    """The key to send now: where the config has a function for it, that is called."""
    key = config.api_key
    return Secret(key()) if key is not None and not isinstance(key, Secret) else key


def _header(name: str, value: object) -> str | None:
    if value is None or value is omit:
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if any(letter in f"{name}{text}" for letter in "\r\n\0"):
        raise ValueError(f"the header {name!r} has a newline in its name or value")
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"the header {name!r} has characters that no header can carry") from None
    return text


def _url(base: str, path: str, *queries: Mapping[str, object] | None) -> str:
    if "?" not in base and "#" not in base and not any(queries):
        return base.rstrip("/") + path
    parts = urlsplit(base)
    pairs: dict[str, object] = {}
    for query in queries:
        for name, value in (query or {}).items():
            _add_pair(pairs, name, value)
    query_text = "&".join(filter(None, (parts.query, urlencode(pairs, doseq=True))))
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + path, query_text, ""))


def _add_pair(pairs: dict[str, object], name: str, value: object) -> None:
    # Nested objects are written as the API reads them: metadata[key]=value.
    if isinstance(value, Mapping):
        for key, item in value.items():
            _add_pair(pairs, f"{name}[{key}]", item)
    elif value is None or value is omit:
        pairs.pop(name, None)
    elif isinstance(value, bool):
        pairs[name] = "true" if value else "false"
    else:
        pairs[name] = value


def path_segment(value: str) -> str:
    """An id as a part of a path, so encoded that it can't be anything else."""
    return quote(value, safe="")


def follow_redirect(request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
    """The request to send next, where the response is a redirect that may be followed, else None.

    Followed are, method and body kept, 307 and 308 within the origin, and from http to https on the
    same host; and all kinds for a GET. Anything else would hand the key and the prompt to someone
    who was not meant to have them, or turn a POST into a GET.

    Raises:
        APIStatusError: the redirect is refused; the message names its target.
    """
    location = response.headers.get("location")
    if not 301 <= response.status <= 308 or location is None:
        return None
    from urllib.parse import urljoin

    target = urljoin(request.url, location)
    here, there = urlsplit(request.url), urlsplit(target)
    same_origin = _origin(request.url) == _origin(target)
    upgraded = (here.scheme, there.scheme) == ("http", "https") and here.hostname == there.hostname
    if not (same_origin or upgraded):
        why = "it is another origin, which was sent neither the key nor the prompt"
    elif response.status not in (307, 308) and request.method != "GET":
        why = f"it would turn the {request.method} into a GET"
    else:
        return HttpRequest(
            request.method, target, request.headers, request.content, request.timeout
        )
    response.request = response.request or request
    raise APIStatusError(
        f"Error code: {response.status} - the redirect to {target} was refused: {why}. "
        "If that is where the API lives now, make it the base_url.",
        response=response,
        body=response.text,
    )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


# Responses ------------------------------------------------------------------------------------


def read_completion(response: HttpResponse) -> ChatCompletion:
    """The completion in a response to :func:`build_create`.

    An event stream, which some servers send unasked, is joined to one.

    Raises:
        APIStatusError: an error status; the class says which.
        APIError: an error inside a 200.
        APIResponseValidationError: the body is no completion.

    >>> body = b'{"choices": [{"message": {"role": "assistant", "content": "Hello"}}]}'
    >>> read_completion(HttpResponse(200, {}, body)).choices[0].message.content
    'Hello'
    """
    raise_for_status(response)
    body = response.read()
    if _is_event_stream(body):
        made = joined(read_chunks(response))
    else:
        value = read_object(response)
        _check_choices(value, response, required=True)
        made = converter().structure(value, ChatCompletion)
    made._http = response.info()
    return made


def raise_for_status(response: HttpResponse) -> None:
    """Raise the exception that belongs to a response that is not a success."""
    if not 200 <= response.status <= 299:
        try:
            raise error_from_response(response)
        finally:
            response.close()


def read_object(response: HttpResponse) -> dict[str, Any]:
    """The JSON object that a response holds, unless it speaks of an error: that is raised."""
    text = response.text
    try:
        value, end = _first_json(text)
    except ValueError as error:
        raise _not_promised(response, f"The response is not JSON ({error})", text) from None
    rest = text[end:].strip()
    # Some servers end even a plain answer as if it had been a stream.
    if rest and rest.replace(" ", "") != "data:[DONE]":
        raise _not_promised(response, "The response goes on after its JSON", rest)
    found = find_error(value)
    if found is not None:
        raise error_inside(found, response)
    if not isinstance(value, dict):
        raise _not_promised(response, "The response is not a JSON object", text)
    return value


def read_chunks(response: HttpResponse) -> Iterator[ChatCompletionChunk]:
    """The chunks in a response to :func:`build_create` with ``stream=True``, as they come.

    The response is closed at the end, and when the iterator is.

    Raises:
        APIStatusError: an error status; raised at the first step.
        APIError: an error in the stream; its ``completion`` holds what came before.
        IncompleteStreamError: the stream ended too early; likewise.

    >>> body = b'data: {"choices": [{"delta": {"content": "Hello"}}]}\\n\\ndata: [DONE]\\n\\n'
    >>> [chunk.text for chunk in read_chunks(HttpResponse(200, {}, body))]
    ['Hello']
    """
    raise_for_status(response)
    reader = ChunkReader(response)
    try:
        for piece in response:
            yield from reader.feed(piece)
            if reader.done:
                return
        yield from reader.end()
    finally:
        response.close()


class ChunkReader:
    """Bytes of an event stream, as they come, to chunks: all that is known of streams, without I/O.

    Feed it each piece, take the chunks that it yields, stop when it is :attr:`done`, and call
    :meth:`end` where the bytes end before that.
    """

    def __init__(self, response: HttpResponse | None = None) -> None:
        self.done = False
        """``[DONE]`` has come: what follows is not worth reading."""
        self.joined = Accumulator()
        """What has come so far."""
        self._response = response
        self._info = response.info() if response is not None else None
        self._events = SSEDecoder()
        self._head = b""
        self._whole: list[bytes] | None = None  # the pieces of a body that is no event stream
        self._sniffed = False
        self._hook = converter().get_structure_hook(ChatCompletionChunk)

    @property
    def finished(self) -> bool:
        """Every choice that began has its finish reason: at most a usage report is to come."""
        return self.joined.finished

    def feed(self, piece: bytes) -> Iterator[ChatCompletionChunk]:
        """The chunks that this piece completes."""
        if not self._sniffed:
            piece = self._sniff(piece)
        if self._whole is not None:
            self._whole.append(piece)
            return
        for event in self._events.feed(piece):
            chunk = self._read(event)
            if chunk is not None:
                yield chunk
            if self.done:
                return

    def end(self) -> Iterator[ChatCompletionChunk]:
        """The chunks that were still open when the bytes ended.

        Raises:
            IncompleteStreamError: neither ``[DONE]`` nor a finish reason has come for each choice.
        """
        if self._whole is not None:
            yield self._read_whole(b"".join(self._whole))
            return
        for event in self._events.feed(self._head) + self._events.flush():
            try:
                chunk = self._read(event)
            except APIResponseValidationError:
                break  # an event that was cut off; whether that matters is decided below
            if chunk is not None:
                yield chunk
        if not (self.done or self.finished):
            raise self.cut_off(
                "the stream ended before the answer was complete"
                if self.joined.started
                else "the stream ended without an answer"
            )

    def cut_off(self, why: str) -> IncompleteStreamError:
        """The exception for a stream that ends here. It holds what had come."""
        request = self._response.request if self._response is not None else None
        return IncompleteStreamError(
            message=f"Connection error: {why}.",
            request=request,
            response=self._response,
            completion=self.joined.completion(),
        )

    def _sniff(self, piece: bytes) -> bytes:
        # No event stream begins with one of these; JSON and HTML, sent in its place, do.
        self._head += piece
        start = self._head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if not start:
            return b""
        self._sniffed = True
        if start[:1] in (b"{", b"[", b"<"):
            self._whole = []
        head, self._head = self._head, b""
        return head

    def _read(self, event: ServerSentEvent) -> ChatCompletionChunk | None:
        data = event.data
        if data.startswith("[DONE]"):
            self.done = True
            return None
        failed = event.event == "error"
        value: Any
        try:
            value = from_json(data)
        except ValueError:
            if not failed:
                if not data.strip() or event.event != "message":
                    return None  # a ping
                raise _not_promised(
                    self._response, "An event of the stream is not JSON", data, self.joined
                ) from None
            value = data
        if failed or value.__class__ is not dict or value.get("error"):
            found = find_error(value, certain=failed)
            if found is None and failed:  # the name alone says so
                found = ErrorFound(preview(data) or "an error event that says nothing", value)
            if found is not None:
                raise error_inside(found, self._response, self.joined.completion())
        if value.__class__ is not dict:
            raise _not_promised(
                self._response, "An event of the stream is not a JSON object", data, self.joined
            )
        if "choices" not in value:
            found = find_error(value)
            if found is not None:
                raise error_inside(found, self._response, self.joined.completion())
            if event.event != "message":
                return None
        _check_choices(value, self._response, joined=self.joined)
        for choice in value["choices"]:
            # A whole completion, or the first of a choice, in place of pieces.
            if "message" in choice and not (
                choice.get("delta") or self.joined.began(choice["index"])
            ):
                choice["delta"] = choice.pop("message")
        chunk: ChatCompletionChunk = self._hook(value, None)
        chunk._http = self._info
        self.joined.add(chunk)
        return chunk

    def _read_whole(self, body: bytes) -> ChatCompletionChunk:
        """A plain completion in place of a stream, as the one chunk that it amounts to."""
        status = self._response.status if self._response is not None else 200
        headers = self._response.headers if self._response is not None else ()
        request = self._response.request if self._response is not None else None
        whole = HttpResponse(status, headers, body, request=request)
        value = read_object(whole)
        _check_choices(value, whole, required=True)
        for choice in value["choices"]:
            choice["delta"] = choice.pop("message", None)
        value["object"] = "chat.completion.chunk"
        chunk: ChatCompletionChunk = self._hook(value, None)
        chunk._http = self._info
        self.joined.add(chunk)
        self.done = True
        return chunk


def _check_choices(
    value: dict[str, Any],
    response: HttpResponse | None,
    *,
    required: bool = False,
    joined: Accumulator | None = None,
) -> None:
    """What a body must at least have to be an answer: choices that are objects."""
    choices = value.get("choices")
    if choices is None and not required:
        value["choices"] = []
        return
    if not isinstance(choices, list):
        raise _not_promised(response, "The response has no list of choices", value, joined)
    for at, choice in enumerate(choices):
        if not isinstance(choice, dict):
            raise _not_promised(response, f"choices[{at}] is not an object", value, joined)
        for name in ("message", "delta"):
            if not isinstance(choice.get(name), (dict, type(None))):
                raise _not_promised(
                    response, f"choices[{at}].{name} is not an object", value, joined
                )
        if choice.get("index") is None:
            choice["index"] = at


def _not_promised(
    response: HttpResponse | None, what: str, body: Any, joined: Accumulator | None = None
) -> APIResponseValidationError:
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    error = APIResponseValidationError(
        response, body, message=f"{what}: {preview(text) or '(empty)'}"
    )
    if joined is not None:
        error.completion = joined.completion()
    return error


def _first_json(text: str) -> tuple[Any, int]:
    """The JSON value that a text begins with, and where it ends."""
    start = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


_DECODER = json.JSONDecoder()


def _is_event_stream(body: bytes) -> bool:
    start = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith((b"data:", b"event:", b"id:", b"retry:", b":"))
