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
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from chatlib._omit import Omit, omit
from chatlib.accumulate import joined
from chatlib.building import REQUEST_OPTIONS, build_request, split_options
from chatlib.codec import converter, to_json, to_request
from chatlib.config import Config
from chatlib.http import HttpRequest, HttpResponse
from chatlib.reading import check_choices, raise_for_status, read_object
from chatlib.streaming import read_chunks
from chatlib.types.base import JsonObject
from chatlib.types.completion import ChatCompletion
from chatlib.types.params import CREATE_PARAMS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from chatlib.types.params import CreateOptions, RequestOptions


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
    if not isinstance(params.get("stream"), (bool, type(None), Omit)):
        raise TypeError(f"stream is {params['stream']!r}; it must be True or False")
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


def accept_for(stream: object) -> str:
    """The media type to ask for."""
    return "text/event-stream" if stream is True else "application/json"


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
        check_choices(value, response, required=True)
        made = converter().structure(value, ChatCompletion)
    made._http = response.info()
    return made


def _is_event_stream(body: bytes) -> bool:
    start = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith((b"data:", b"event:", b"id:", b"retry:", b":"))
