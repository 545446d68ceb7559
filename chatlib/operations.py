"""The operations of the API as pairs of pure functions: build a request, read a response.

Nothing here does I/O. ``build_*`` returns an :class:`~chatlib.http.HttpRequest`, ``read_*`` takes
an :class:`~chatlib.http.HttpResponse`; any HTTP library can be used in between::

    request = build_create(config, model="gpt-5", messages=[UserMessage(content="Hello")])
    response = anything_that_speaks_http(request)
    completion = read_completion(response)
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from chatlib.config import Config
from chatlib.http import HttpRequest, HttpResponse, Omit, is_omitted, omit
from chatlib.types.base import JsonObject, converter, set_http
from chatlib.types.completion import ChatCompletion
from chatlib.types.foreign import is_record
from chatlib.types.params import CREATE_PARAMS
from chatlib.wire.codec import as_list, from_json, to_json, to_request
from chatlib.wire.request import REQUEST_OPTIONS, Operation, split_options
from chatlib.wire.response import check_choices, raise_for_status, read_object

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from chatlib.types.params import (
        CreateOptions,
        RequestOptions,
    )


T = TypeVar("T")

TO_BODY = "Pass a field that only this server knows in extra_body={...}."


def build_create(
    config: Config, *, stream: bool | Omit | None = omit, **params: Unpack[CreateOptions]
) -> HttpRequest:
    """Build the request that creates a chat completion: ``POST /chat/completions``.

    Args:
        config: The client configuration. An API key that is a function is called.
        stream: True to receive an event stream, for :func:`read_chunks`.
        params: The parameters of the API (:class:`~chatlib.types.CreateParams`) and request options
            (:class:`~chatlib.types.RequestOptions`).

    Returns:
        The request.

    Raises:
        TypeError: A parameter is unknown or missing, or a value is not JSON serializable.

    >>> request = build_create(
    ...     Config(api_key="secret"), model="gpt-5", messages=[{"role": "user", "content": "Hi"}]
    ... )
    >>> request.method, request.url
    ('POST', 'https://api.openai.com/v1/chat/completions')
    >>> request.json()
    {'model': 'gpt-5', 'messages': [{'role': 'user', 'content': 'Hi'}]}
    """
    return create_operation({"stream": stream, **params}).build(config)


def create_operation(
    given: Mapping[str, Any], response_format: bytes | None = None
) -> Operation[ChatCompletion]:
    """Return the operation of :func:`build_create` and :func:`read_completion`.

    Args:
        given: The parameters and request options.
        response_format: The parameter of that name as JSON, instead of one in ``given``.

    Returns:
        The operation.

    Raises:
        TypeError: A parameter is unknown or missing, or a value is not JSON serializable.
    """
    options, params = split_options(given)
    if response_format is not None and options.get("extra_body") is not None:
        # Merging needs the value.
        params, response_format = {**params, "response_format": from_json(response_format)}, None
    content = _encode_create(params, options)
    if response_format is not None:
        content = b'%b,"response_format":%b}' % (content[:-1], response_format)
    return Operation(
        method="POST",
        path="/chat/completions",
        read=read_completion,
        options=options,
        content=content,
        model=params["model"],
        is_stream=params.get("stream") is True,
    )


def _encode_create(params: Mapping[str, Any], options: RequestOptions) -> bytes:
    """Return the JSON body of a create request: the parameters merged with ``extra_body``."""
    check_parameters("create()", params, CREATE_PARAMS, TO_BODY)
    stream = params.get("stream")
    if not (isinstance(stream, (bool, type(None))) or is_omitted(stream)):
        raise TypeError(f"stream is {params['stream']!r}; it must be True or False")
    missing = [name for name in ("messages", "model") if is_omitted(params.get(name, omit))]
    if missing:
        raise TypeError(f"create() needs {' and '.join(map(repr, missing))}")
    if inspect.isclass(params.get("response_format")):
        raise TypeError("response_format is a class: create() can't read it back, but parse() can")
    listed = {name: as_list(params[name]) for name in ("messages", "tools") if name in params}
    messages = listed["messages"]
    if not isinstance(messages, list):
        raise TypeError(
            f"messages is a {type(params['messages']).__name__}; it must be a list of messages, "
            'such as [{"role": "user", "content": "Hello"}]'
        )
    for at, message in enumerate(messages):
        if not (isinstance(message, (Mapping, JsonObject)) or is_record(message)):
            raise TypeError(
                f"messages[{at}] is a {type(message).__name__}; a message is a dict, or an object "
                "such as chatlib.UserMessage(content=...)"
            )
        if isinstance(message, ChatCompletion):
            raise TypeError(f"messages[{at}] is a completion; send its choices[0].message")
    return encode_body({**params, **listed}, options)


def encode_body(params: Mapping[str, Any], options: RequestOptions) -> bytes:
    """Return parameters, merged with ``extra_body``, as a JSON body.

    Args:
        params: The parameters.
        options: The request options.

    Raises:
        TypeError: A value is not JSON serializable.
    """
    body = to_request(params)
    extra = options.get("extra_body")
    return to_json(
        _deep_merge(body, to_request(extra, "extra_body")) if extra is not None else body
    )


def check_parameters(
    call: str, params: Mapping[str, Any], known: frozenset[str], hint: str
) -> None:
    """Check the names of parameters.

    Args:
        call: The method as users write it, for the exception.
        params: The parameters.
        known: The names of the parameters of the operation.
        hint: What to do with a parameter that only some servers know.

    Raises:
        TypeError: A parameter is unknown.
    """
    unknown = [name for name in params if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known | REQUEST_OPTIONS, 1)
        suggestion = f"; did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"{call} has no parameter {unknown[0]!r}{suggestion} {hint}")


def _deep_merge(under: Any, over: Any) -> Any:
    """Merge two JSON values; the second one takes precedence, objects are merged by key."""
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        return {
            **under,
            **{k: _deep_merge(under[k], v) if k in under else v for k, v in over.items()},
        }
    return over


def read_completion(response: HttpResponse) -> ChatCompletion:
    """Decode the response to :func:`build_create`.

    An event stream, which some servers send without being asked, is accumulated into one
    completion.

    Args:
        response: The response.

    Returns:
        The completion.

    Raises:
        APIStatusError: The status is an error; the class tells which.
        APIError: The response has status 200 and contains an error.
        APIResponseValidationError: The body is not a completion.

    >>> body = b'{"choices": [{"message": {"role": "assistant", "content": "Hello"}}]}'
    >>> read_completion(HttpResponse(200, {}, body)).choices[0].message.content
    'Hello'
    """
    raise_for_status(response)
    body = response.read()
    if _is_event_stream(body):
        from chatlib.streaming.accumulator import joined
        from chatlib.streaming.chunk_reader import read_chunks

        made = joined(read_chunks(response))
    else:
        value = read_object(response)
        check_choices(value, response, required=True)
        made = converter().structure(value, ChatCompletion)
    set_http(made, response.info())
    return made


def _is_event_stream(body: bytes) -> bool:
    start = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith((b"data:", b"event:", b"id:", b"retry:", b":"))
