"""The operations on stored completions and their messages, as pairs of pure functions.

They are built like those of :mod:`chatlib.operations`: ``build_*`` returns an
:class:`~chatlib.http.HttpRequest`, ``read_*`` takes an :class:`~chatlib.http.HttpResponse`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from chatlib.config import Config, path_segment
from chatlib.http import HttpRequest, HttpResponse
from chatlib.operations import TO_BODY, check_parameters, encode_body, read_completion
from chatlib.types.base import JsonObject, converter, set_http
from chatlib.types.completion import ChatCompletion
from chatlib.types.foreign import is_record
from chatlib.types.page import CursorPage
from chatlib.types.params import LIST_PARAMS, MESSAGE_LIST_PARAMS, UPDATE_PARAMS
from chatlib.types.stored import ChatCompletionDeleted, ChatCompletionStoreMessage
from chatlib.wire.codec import to_request
from chatlib.wire.request import Operation, split_options
from chatlib.wire.response import check_choices, raise_for_status, read_object, unexpected_body

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from chatlib.types.params import (
        ListOptions,
        MessageListOptions,
        RequestOptions,
        UpdateOptions,
    )

T = TypeVar("T")
JsonItem = TypeVar("JsonItem", bound=JsonObject)

_TO_QUERY = "Pass a parameter that only this server knows in extra_query={...}."


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
    check_parameters("update()", params, UPDATE_PARAMS, TO_BODY)
    if "metadata" not in params:
        raise TypeError("update() needs 'metadata'")
    return Operation(
        method="POST",
        path=_stored_path(completion_id),
        read=read_completion,
        options=options,
        content=encode_body(params, options),
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
    """Return an operation whose parameters are sent in the query.

    Args:
        call: The method as users write it, for exceptions.
        method: The HTTP method.
        path: The path after the base URL.
        given: The parameters and request options.
        read: Decodes the response.
        known: The names of the parameters.

    Raises:
        TypeError: A parameter is unknown, or a GET is given a body.
    """
    options, params = split_options(given)
    check_parameters(call, params, known, _TO_QUERY)
    params = {n: to_request(v, n) if is_record(v) else v for n, v in params.items()}
    content = b""
    if options.get("extra_body"):
        if method == "GET":
            raise TypeError(
                f"{call} is a GET, which has no body: use extra_query in place of extra_body"
            )
        content = encode_body({}, options)
    return Operation(
        method=method, path=path, read=read, options=options, content=content, query=params
    )
