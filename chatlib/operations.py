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
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from chatlib.config import Config, path_segment
from chatlib.http import HttpRequest, HttpResponse, Omit, omit
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

_TO_BODY = "A field of a server's own goes into extra_body={...}."
_TO_QUERY = "A parameter of a server's own goes into extra_query={...}."


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
    return create_operation({"stream": stream, **params}).build(config)


def create_operation(
    given: Mapping[str, Any], response_format: bytes | None = None
) -> Operation[ChatCompletion]:
    """What :func:`build_create` and :func:`read_completion` do, as one value.

    Args:
        given: The parameters, and the options of the request.
        response_format: The parameter of that name as JSON, instead of one in ``given``.
    """
    options, params = split_options(given)
    if response_format is not None and options.get("extra_body") is not None:
        # Merging needs the value.
        params, response_format = {**params, "response_format": from_json(response_format)}, None
    content = _create_content(params, options)
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


def _create_content(params: Mapping[str, Any], options: RequestOptions) -> bytes:
    """The body of a create call, encoded: its parameters, with ``extra_body`` merged over them."""
    _check_names("create()", params, CREATE_PARAMS, _TO_BODY)
    if not isinstance(params.get("stream"), (bool, type(None), Omit)):
        raise TypeError(f"stream is {params['stream']!r}; it must be True or False")
    missing = [name for name in ("messages", "model") if params.get(name, omit) is omit]
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
    return _content({**params, **listed}, options)


def _content(params: Mapping[str, Any], options: RequestOptions) -> bytes:
    body = to_request(params)
    extra = options.get("extra_body")
    return to_json(_merged(body, to_request(extra, "extra_body")) if extra is not None else body)


def _check_names(call: str, params: Mapping[str, Any], known: frozenset[str], hint: str) -> None:
    unknown = [name for name in params if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known | REQUEST_OPTIONS, 1)
        suggestion = f"; did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"{call} has no parameter {unknown[0]!r}{suggestion} {hint}")


def _merged(under: Any, over: Any) -> Any:
    """Two JSON values, the second one winning; objects are merged key by key."""
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        return {**under, **{k: _merged(under[k], v) if k in under else v for k, v in over.items()}}
    return over


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
    set_http(made, response.info())
    return made


def _is_event_stream(body: bytes) -> bool:
    start = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith((b"data:", b"event:", b"id:", b"retry:", b":"))


# Stored completions ---------------------------------------------------------------------------


def build_retrieve(
    config: Config, completion_id: str, **options: Unpack[RequestOptions]
) -> HttpRequest:
    """The request for a stored completion, which :func:`read_completion` reads.

    Args:
        config: Whom to ask, and as whom.
        completion_id: The id of the completion.
        options: The options of a request.

    Raises:
        ValueError: the id is empty.

    >>> build_retrieve(Config(api_key="secret"), "chatcmpl-1").url
    'https://api.openai.com/v1/chat/completions/chatcmpl-1'
    """
    return retrieve_operation(completion_id, options).build(config)


def build_update(
    config: Config, completion_id: str, **params: Unpack[UpdateOptions]
) -> HttpRequest:
    """The request that changes a stored completion, which :func:`read_completion` reads.

    Args:
        config: Whom to ask, and as whom.
        completion_id: The id of the completion.
        params: ``metadata``, which takes the place of all that there is; and the options of a
            request.

    Raises:
        ValueError: the id is empty.
        TypeError: a parameter is unknown or missing.
    """
    return update_operation(completion_id, params).build(config)


def build_list(config: Config, **params: Unpack[ListOptions]) -> HttpRequest:
    """The request for a page of stored completions, which :func:`read_completions` reads.

    Args:
        config: Whom to ask, and as whom.
        params: Which ones (:class:`~chatlib.types.ListParams`), and the options of a request.

    Raises:
        TypeError: a parameter is unknown.

    >>> build_list(Config(api_key="secret"), limit=2, metadata={"user": "ann"}).url
    'https://api.openai.com/v1/chat/completions?limit=2&metadata%5Buser%5D=ann'
    """
    return list_operation(params).build(config)


def build_delete(
    config: Config, completion_id: str, **options: Unpack[RequestOptions]
) -> HttpRequest:
    """The request that deletes a stored completion, which :func:`read_deleted` reads.

    Args:
        config: Whom to ask, and as whom.
        completion_id: The id of the completion.
        options: The options of a request.

    Raises:
        ValueError: the id is empty.
    """
    return delete_operation(completion_id, options).build(config)


def build_list_messages(
    config: Config, completion_id: str, **params: Unpack[MessageListOptions]
) -> HttpRequest:
    """The request for a page of a stored completion's messages; :func:`read_messages` reads it.

    Args:
        config: Whom to ask, and as whom.
        completion_id: The id of the completion.
        params: Which ones (:class:`~chatlib.types.MessageListParams`), and the options of a
            request.

    Raises:
        ValueError: the id is empty.
        TypeError: a parameter is unknown.
    """
    return list_messages_operation(completion_id, params).build(config)


def read_completions(response: HttpResponse) -> CursorPage[ChatCompletion]:
    """The page in a response to :func:`build_list`.

    Raises:
        APIStatusError: an error status; the class says which.
        APIError: an error inside a 200.
        APIResponseValidationError: the body is no page.

    >>> page = read_completions(HttpResponse(200, {}, b'{"data": [{"id": "chatcmpl-1"}]}'))
    >>> [completion.id for completion in page.data]
    ['chatcmpl-1']
    """
    return _read_page(response, ChatCompletion)


def read_messages(response: HttpResponse) -> CursorPage[ChatCompletionStoreMessage]:
    """The page in a response to :func:`build_list_messages`. Raises as :func:`read_completions`."""
    return _read_page(response, ChatCompletionStoreMessage)


def read_deleted(response: HttpResponse) -> ChatCompletionDeleted:
    """The confirmation in a response to :func:`build_delete`.

    Raises:
        APIStatusError: an error status; the class says which.
        APIError: an error inside a 200.
        APIResponseValidationError: the body is no JSON object.
    """
    raise_for_status(response)
    made = converter().structure(read_object(response), ChatCompletionDeleted)
    set_http(made, response.info())
    return made


def _read_page(response: HttpResponse, item_type: type[JsonItem]) -> CursorPage[JsonItem]:
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
    """What :func:`build_retrieve` and :func:`read_completion` do, as one value."""
    return _query("retrieve()", "GET", _stored_path(completion_id), options, read_completion)


def update_operation(completion_id: str, given: Mapping[str, Any]) -> Operation[ChatCompletion]:
    """What :func:`build_update` and :func:`read_completion` do, as one value."""
    options, params = split_options(given)
    _check_names("update()", params, UPDATE_PARAMS, _TO_BODY)
    if "metadata" not in params:
        raise TypeError("update() needs 'metadata'")
    return Operation(
        method="POST",
        path=_stored_path(completion_id),
        read=read_completion,
        options=options,
        content=_content(params, options),
    )


def list_operation(given: Mapping[str, Any]) -> Operation[CursorPage[ChatCompletion]]:
    """What :func:`build_list` and :func:`read_completions` do, as one value."""
    return _query("list()", "GET", "/chat/completions", given, read_completions, LIST_PARAMS)


def delete_operation(
    completion_id: str, options: Mapping[str, Any]
) -> Operation[ChatCompletionDeleted]:
    """What :func:`build_delete` and :func:`read_deleted` do, as one value."""
    return _query("delete()", "DELETE", _stored_path(completion_id), options, read_deleted)


def list_messages_operation(
    completion_id: str, given: Mapping[str, Any]
) -> Operation[CursorPage[ChatCompletionStoreMessage]]:
    """What :func:`build_list_messages` and :func:`read_messages` do, as one value."""
    path = f"{_stored_path(completion_id)}/messages"
    return _query("messages.list()", "GET", path, given, read_messages, MESSAGE_LIST_PARAMS)


def _stored_path(completion_id: str) -> str:
    return f"/chat/completions/{path_segment(completion_id, 'completion_id')}"


def _query(
    call: str,
    method: str,
    path: str,
    given: Mapping[str, Any],
    read: Callable[[HttpResponse], T],
    known: frozenset[str] = frozenset(),
) -> Operation[T]:
    """An operation whose parameters go into its query."""
    options, params = split_options(given)
    _check_names(call, params, known, _TO_QUERY)
    params = {n: to_request(v, n) if is_record(v) else v for n, v in params.items()}
    content = b""
    if options.get("extra_body"):
        if method == "GET":
            raise TypeError(
                f"{call} is a GET, which has no body: use extra_query in place of extra_body"
            )
        content = _content({}, options)
    return Operation(
        method=method, path=path, read=read, options=options, content=content, query=params
    )
