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
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from chatlib.config import Config, path_segment
from chatlib.http import HttpRequest, HttpResponse, Omit, is_omitted, omit
from chatlib.streaming.accumulator import joined
from chatlib.streaming.chunk_reader import read_chunks
from chatlib.types.base import JsonObject, converter, set_http
from chatlib.types.completion import ChatCompletion
from chatlib.types.foreign import is_record
from chatlib.types.page import CursorPage
from chatlib.types.params import CREATE_PARAMS, LIST_PARAMS, MESSAGE_LIST_PARAMS, UPDATE_PARAMS
from chatlib.types.stored import ChatCompletionDeleted, ChatCompletionStoreMessage
from chatlib.wire.codec import as_list, from_json, to_json, to_request
from chatlib.wire.request import REQUEST_OPTIONS, Operation, split_options
from chatlib.wire.response import check_choices, raise_for_status, read_object, unexpected_body

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from chatlib.types.params import (
        CreateOptions,
        ListOptions,
        MessageListOptions,
        RequestOptions,
        UpdateOptions,
    )


T = TypeVar("T")
JsonItem = TypeVar("JsonItem", bound=JsonObject)

_TO_BODY = "Pass a field that only this server knows in extra_body={...}."
_TO_QUERY = "Pass a parameter that only this server knows in extra_query={...}."


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
    _check_parameters("create()", params, CREATE_PARAMS, _TO_BODY)
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
    return _encode_body({**params, **listed}, options)


def _encode_body(params: Mapping[str, Any], options: RequestOptions) -> bytes:
    body = to_request(params)
    extra = options.get("extra_body")
    return to_json(
        _deep_merge(body, to_request(extra, "extra_body")) if extra is not None else body
    )


def _check_parameters(
    call: str, params: Mapping[str, Any], known: frozenset[str], hint: str
) -> None:
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


# Stored completions ---------------------------------------------------------------------------


def build_retrieve(
    config: Config, completion_id: str, **options: Unpack[RequestOptions]
) -> HttpRequest:
    """Build the request that retrieves a stored completion, for :func:`read_completion`.

    Args:
        config: The client configuration.
        completion_id: The ID of the completion.
        options: The request options.

    Returns:
        The request.

    Raises:
        ValueError: The ID is empty.

    >>> build_retrieve(Config(api_key="secret"), "chatcmpl-1").url
    'https://api.openai.com/v1/chat/completions/chatcmpl-1'
    """
    return retrieve_operation(completion_id, options).build(config)


def build_update(
    config: Config, completion_id: str, **params: Unpack[UpdateOptions]
) -> HttpRequest:
    """Build the request that updates a stored completion, for :func:`read_completion`.

    Args:
        config: The client configuration.
        completion_id: The ID of the completion.
        params: ``metadata``, which replaces the existing metadata, and request options.

    Returns:
        The request.

    Raises:
        ValueError: The ID is empty.
        TypeError: A parameter is unknown or missing.
    """
    return update_operation(completion_id, params).build(config)


def build_list(config: Config, **params: Unpack[ListOptions]) -> HttpRequest:
    """Build the request for a page of stored completions, for :func:`read_completions`.

    Args:
        config: The client configuration.
        params: The filters (:class:`~chatlib.types.ListParams`) and request options.

    Returns:
        The request.

    Raises:
        TypeError: A parameter is unknown.

    >>> build_list(Config(api_key="secret"), limit=2, metadata={"user": "ann"}).url
    'https://api.openai.com/v1/chat/completions?limit=2&metadata%5Buser%5D=ann'
    """
    return list_operation(params).build(config)


def build_delete(
    config: Config, completion_id: str, **options: Unpack[RequestOptions]
) -> HttpRequest:
    """Build the request that deletes a stored completion, for :func:`read_deleted`.

    Args:
        config: The client configuration.
        completion_id: The ID of the completion.
        options: The request options.

    Returns:
        The request.

    Raises:
        ValueError: The ID is empty.
    """
    return delete_operation(completion_id, options).build(config)


def build_list_messages(
    config: Config, completion_id: str, **params: Unpack[MessageListOptions]
) -> HttpRequest:
    """Build the request for a page of messages of a stored completion, for :func:`read_messages`.

    Args:
        config: The client configuration.
        completion_id: The ID of the completion.
        params: The filters (:class:`~chatlib.types.MessageListParams`) and request options.

    Returns:
        The request.

    Raises:
        ValueError: The ID is empty.
        TypeError: A parameter is unknown.
    """
    return list_messages_operation(completion_id, params).build(config)


def read_completions(response: HttpResponse) -> CursorPage[ChatCompletion]:
    """Decode the response to :func:`build_list`.

    Args:
        response: The response.

    Returns:
        The page of completions.

    Raises:
        APIStatusError: The status is an error; the class tells which.
        APIError: The response has status 200 and contains an error.
        APIResponseValidationError: The body is not a page.

    >>> page = read_completions(HttpResponse(200, {}, b'{"data": [{"id": "chatcmpl-1"}]}'))
    >>> [completion.id for completion in page.data]
    ['chatcmpl-1']
    """
    return read_page(response, ChatCompletion)


def read_messages(response: HttpResponse) -> CursorPage[ChatCompletionStoreMessage]:
    """Decode the response to :func:`build_list_messages`.

    Args:
        response: The response.

    Returns:
        The page of messages.

    Raises:
        APIStatusError: The status is an error; the class tells which.
        APIError: The response has status 200 and contains an error.
        APIResponseValidationError: The body is not a page.
    """
    return read_page(response, ChatCompletionStoreMessage)


def read_deleted(response: HttpResponse) -> ChatCompletionDeleted:
    """Decode the response to :func:`build_delete`.

    Args:
        response: The response.

    Returns:
        The confirmation of the server.

    Raises:
        APIStatusError: The status is an error; the class tells which.
        APIError: The response has status 200 and contains an error.
        APIResponseValidationError: The body is not a JSON object.
    """
    raise_for_status(response)
    made = converter().structure(read_object(response), ChatCompletionDeleted)
    set_http(made, response.info())
    return made


def read_page(response: HttpResponse, item_type: type[JsonItem]) -> CursorPage[JsonItem]:
    """Decode a page of a list.

    Args:
        response: The response.
        item_type: The class of the items.

    Raises:
        APIError: As for :func:`read_completions`.
    """
    raise_for_status(response)
    value = read_object(response)
    items = value.get("data")
    if not isinstance(items, list):
        raise unexpected_body(response, "The response has no list of data", value)
    for at, item in enumerate(items):
        if not isinstance(item, dict):
            raise unexpected_body(response, f"data[{at}] is not an object", value)
        if item_type is ChatCompletion:
            check_choices(item, response)
    page: CursorPage[JsonItem] = converter().structure(value, CursorPage)
    hook, page._http = converter().get_structure_hook(item_type), response.info()
    page.data = [hook(item, None) for item in items]
    for made in page.data:
        set_http(made, page._http)
    return page


def retrieve_operation(completion_id: str, options: Mapping[str, Any]) -> Operation[ChatCompletion]:
    """Return the operation of :func:`build_retrieve` and :func:`read_completion`.

    Args:
        completion_id: The ID of the completion.
        options: The request options.
    """
    return query_operation(
        "retrieve()", "GET", _stored_path(completion_id), options, read_completion
    )


def update_operation(completion_id: str, given: Mapping[str, Any]) -> Operation[ChatCompletion]:
    """Return the operation of :func:`build_update` and :func:`read_completion`.

    Args:
        completion_id: The ID of the completion.
        given: The parameters and request options.
    """
    options, params = split_options(given)
    _check_parameters("update()", params, UPDATE_PARAMS, _TO_BODY)
    if "metadata" not in params:
        raise TypeError("update() needs 'metadata'")
    return Operation(
        method="POST",
        path=_stored_path(completion_id),
        read=read_completion,
        options=options,
        content=_encode_body(params, options),
    )


def list_operation(given: Mapping[str, Any]) -> Operation[CursorPage[ChatCompletion]]:
    """Return the operation of :func:`build_list` and :func:`read_completions`.

    Args:
        given: The filters and request options.
    """
    return query_operation(
        "list()", "GET", "/chat/completions", given, read_completions, LIST_PARAMS
    )


def delete_operation(
    completion_id: str, options: Mapping[str, Any]
) -> Operation[ChatCompletionDeleted]:
    """Return the operation of :func:`build_delete` and :func:`read_deleted`.

    Args:
        completion_id: The ID of the completion.
        options: The request options.
    """
    return query_operation("delete()", "DELETE", _stored_path(completion_id), options, read_deleted)


def list_messages_operation(
    completion_id: str, given: Mapping[str, Any]
) -> Operation[CursorPage[ChatCompletionStoreMessage]]:
    """Return the operation of :func:`build_list_messages` and :func:`read_messages`.

    Args:
        completion_id: The ID of the completion.
        given: The filters and request options.
    """
    path = f"{_stored_path(completion_id)}/messages"
    return query_operation(
        "messages.list()", "GET", path, given, read_messages, MESSAGE_LIST_PARAMS
    )


def _stored_path(completion_id: str) -> str:
    return f"/chat/completions/{path_segment(completion_id, 'completion_id')}"


def query_operation(
    call: str,
    method: str,
    path: str,
    given: Mapping[str, Any],
    read: Callable[[HttpResponse], T],
    known: frozenset[str] = frozenset(),
) -> Operation[T]:
    """Return an operation whose parameters are sent in the query."""
    options, params = split_options(given)
    _check_parameters(call, params, known, _TO_QUERY)
    params = {n: to_request(v, n) if is_record(v) else v for n, v in params.items()}
    content = b""
    if options.get("extra_body"):
        if method == "GET":
            raise TypeError(
                f"{call} is a GET, which has no body: use extra_query in place of extra_body"
            )
        content = _encode_body({}, options)
    return Operation(
        method=method, path=path, read=read, options=options, content=content, query=params
    )
