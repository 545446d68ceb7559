"""The OpenAI Chat Completions API as pure functions and typed values, with a client on top.

The client::

    from chatlib import OpenAI

    client = OpenAI()
    completion = client.chat.completions.create(
        model="gpt-5", messages=[{"role": "user", "content": "Hello"}]
    )
    print(completion.choices[0].message.content)

The functions below it, which do no I/O: :func:`build_create` makes a request value,
:func:`read_completion` and :func:`read_chunks` make types or exceptions of a response value,
:func:`read_events` makes server-sent events of bytes.

The names here load their modules when they are first used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from chatlib._version import __title__ as __title__
from chatlib._version import __version__ as __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chatlib.azure import AzureConfig as AzureConfig
    from chatlib.azure import azure_config_from_env as azure_config_from_env
    from chatlib.client.async_openai import AsyncAzureOpenAI as AsyncAzureOpenAI
    from chatlib.client.async_openai import AsyncOpenAI as AsyncOpenAI
    from chatlib.client.async_raw import AsyncStreamedResponse as AsyncStreamedResponse
    from chatlib.client.async_streams import AsyncStream as AsyncStream
    from chatlib.client.async_typed_stream import (
        AsyncChatCompletionStream as AsyncChatCompletionStream,
    )
    from chatlib.client.async_typed_stream import (
        AsyncChatCompletionStreamManager as AsyncChatCompletionStreamManager,
    )
    from chatlib.client.completions import Beta, Chat
    from chatlib.client.models import Models
    from chatlib.client.openai import AzureOpenAI as AzureOpenAI
    from chatlib.client.openai import OpenAI as OpenAI
    from chatlib.client.pagination import AsyncCursorPage as AsyncCursorPage
    from chatlib.client.pagination import AsyncPaginator as AsyncPaginator
    from chatlib.client.pagination import SyncCursorPage as SyncCursorPage
    from chatlib.client.raw import RawResponse as RawResponse
    from chatlib.client.raw import StreamedResponse as StreamedResponse
    from chatlib.client.settings import AzureSettings as AzureSettings
    from chatlib.client.settings import ClientSettings as ClientSettings
    from chatlib.client.streams import Stream as Stream
    from chatlib.client.typed_stream import ChatCompletionStream as ChatCompletionStream
    from chatlib.client.typed_stream import (
        ChatCompletionStreamManager as ChatCompletionStreamManager,
    )
    from chatlib.config import DEFAULT_MAX_RETRIES as DEFAULT_MAX_RETRIES
    from chatlib.config import DEFAULT_TIMEOUT as DEFAULT_TIMEOUT
    from chatlib.config import Config as Config
    from chatlib.config import Secret as Secret
    from chatlib.config import config_from_env as config_from_env
    from chatlib.errors import APIConnectionError as APIConnectionError
    from chatlib.errors import APIError as APIError
    from chatlib.errors import APIResponseValidationError as APIResponseValidationError
    from chatlib.errors import APIStatusError as APIStatusError
    from chatlib.errors import APITimeoutError as APITimeoutError
    from chatlib.errors import AuthenticationError as AuthenticationError
    from chatlib.errors import BadRequestError as BadRequestError
    from chatlib.errors import ConflictError as ConflictError
    from chatlib.errors import ContentFilterFinishReasonError as ContentFilterFinishReasonError
    from chatlib.errors import IncompleteStreamError as IncompleteStreamError
    from chatlib.errors import InternalServerError as InternalServerError
    from chatlib.errors import LengthFinishReasonError as LengthFinishReasonError
    from chatlib.errors import NotFoundError as NotFoundError
    from chatlib.errors import OpenAIError as OpenAIError
    from chatlib.errors import PermissionDeniedError as PermissionDeniedError
    from chatlib.errors import RateLimitError as RateLimitError
    from chatlib.errors import UnprocessableEntityError as UnprocessableEntityError
    from chatlib.headers import Headers as Headers
    from chatlib.headers import RateLimits as RateLimits
    from chatlib.http import NOT_GIVEN as NOT_GIVEN
    from chatlib.http import AsyncTransport as AsyncTransport
    from chatlib.http import HttpRequest as HttpRequest
    from chatlib.http import HttpResponse as HttpResponse
    from chatlib.http import NotGiven as NotGiven
    from chatlib.http import Omit as Omit
    from chatlib.http import Timeout as Timeout
    from chatlib.http import Transport as Transport
    from chatlib.http import TransportError as TransportError
    from chatlib.http import TransportTimeout as TransportTimeout
    from chatlib.http import not_given as not_given
    from chatlib.http import omit as omit
    from chatlib.many.result import Result as Result
    from chatlib.many.tasks import AsyncResults as AsyncResults
    from chatlib.many.tasks import arun_many as arun_many
    from chatlib.many.threads import Results as Results
    from chatlib.many.threads import run_many as run_many
    from chatlib.operations import build_create as build_create
    from chatlib.operations import read_completion as read_completion
    from chatlib.retry import RetryPolicy as RetryPolicy
    from chatlib.retry import decide as decide
    from chatlib.retry import retry_delay as retry_delay
    from chatlib.stored_operations import build_delete as build_delete
    from chatlib.stored_operations import build_list as build_list
    from chatlib.stored_operations import build_list_messages as build_list_messages
    from chatlib.stored_operations import build_retrieve as build_retrieve
    from chatlib.stored_operations import build_update as build_update
    from chatlib.stored_operations import read_completions as read_completions
    from chatlib.stored_operations import read_deleted as read_deleted
    from chatlib.stored_operations import read_messages as read_messages
    from chatlib.streaming.accumulator import Accumulator as Accumulator
    from chatlib.streaming.accumulator import accumulate as accumulate
    from chatlib.streaming.accumulator import joined as joined
    from chatlib.streaming.chunk_reader import ChunkReader as ChunkReader
    from chatlib.streaming.chunk_reader import read_chunks as read_chunks
    from chatlib.streaming.events import ChatCompletionStreamState as ChatCompletionStreamState
    from chatlib.streaming.partial_json import PartialJson as PartialJson
    from chatlib.structured.completions import ParseError as ParseError
    from chatlib.structured.completions import parse_completion as parse_completion
    from chatlib.structured.completions import response_format_of as response_format_of
    from chatlib.structured.decoder import DecodeError as DecodeError
    from chatlib.structured.decoder import decode as decode
    from chatlib.structured.decoder import decode_json as decode_json
    from chatlib.structured.json_schema import json_schema as json_schema
    from chatlib.structured.tool_runs import ToolRoundsExceededError as ToolRoundsExceededError
    from chatlib.structured.tool_runs import ToolRun as ToolRun
    from chatlib.structured.tool_runs import ToolRunEvent as ToolRunEvent
    from chatlib.structured.tool_runs import atool_results as atool_results
    from chatlib.structured.tool_runs import tool_results as tool_results
    from chatlib.structured.tools import Tool as Tool
    from chatlib.structured.tools import function_tool as function_tool
    from chatlib.structured.tools import pydantic_function_tool as pydantic_function_tool
    from chatlib.timeouts import TimeoutLike
    from chatlib.transports.httpx import DefaultAsyncHttpxClient as DefaultAsyncHttpxClient
    from chatlib.transports.httpx import DefaultHttpxClient as DefaultHttpxClient
    from chatlib.types.base import JsonObject
    from chatlib.types.base import configure_converter as configure_converter
    from chatlib.types.page import CursorPage as CursorPage
    from chatlib.types.page import next_cursor as next_cursor
    from chatlib.types.values import AssistantMessage as AssistantMessage
    from chatlib.types.values import DeveloperMessage as DeveloperMessage
    from chatlib.types.values import ImagePart as ImagePart
    from chatlib.types.values import SystemMessage as SystemMessage
    from chatlib.types.values import TextPart as TextPart
    from chatlib.types.values import ToolMessage as ToolMessage
    from chatlib.types.values import UserMessage as UserMessage
    from chatlib.wire.codec import structure as structure
    from chatlib.wire.codec import to_request as to_request
    from chatlib.wire.request import Operation as Operation
    from chatlib.wire.sse import ServerSentEvent as ServerSentEvent
    from chatlib.wire.sse import SSEDecoder as SSEDecoder
    from chatlib.wire.sse import read_events as read_events

    AsyncClient = AsyncOpenAI
    BaseModel = JsonObject
    Client = OpenAI
    VERSION = __version__

    # The settings of the client of the module, and its namespaces.
    api_key: str | Callable[[], str] | None
    organization: str | None
    project: str | None
    base_url: str | None
    timeout: TimeoutLike
    max_retries: int
    default_headers: Mapping[str, str] | None
    default_query: Mapping[str, object] | None
    http_client: Any
    api_type: str | None
    api_version: str | None
    azure_endpoint: str | None
    azure_ad_token: str | None
    azure_ad_token_provider: Callable[[], str] | None
    chat: Chat
    beta: Beta
    models: Models

# Where each name lives. A test holds it against the imports above.
_HOMES = {
    "streaming.accumulator": "Accumulator accumulate joined",
    "wire.request": "Operation",
    "client.async_openai": "AsyncAzureOpenAI AsyncClient AsyncOpenAI",
    "client.async_raw": "AsyncStreamedResponse",
    "client.async_streams": "AsyncStream",
    "client.async_typed_stream": "AsyncChatCompletionStream AsyncChatCompletionStreamManager",
    "client.settings": "AzureSettings ClientSettings",
    "client.openai": "AzureOpenAI Client OpenAI",
    "client.raw": "RawResponse StreamedResponse",
    "client.streams": "Stream",
    "client.typed_stream": "ChatCompletionStream ChatCompletionStreamManager",
    "wire.codec": "structure to_request",
    "types.base": "BaseModel configure_converter",
    "_version": "VERSION",
    "azure": "AzureConfig azure_config_from_env",
    "config": "Config DEFAULT_MAX_RETRIES DEFAULT_TIMEOUT Secret config_from_env",
    "operations": "build_create read_completion",
    "stored_operations": """
        build_delete build_list build_list_messages build_retrieve build_update
        read_completions read_deleted read_messages
    """,
    "errors": """
        APIConnectionError APIError APIResponseValidationError APIStatusError APITimeoutError
        AuthenticationError BadRequestError ConflictError ContentFilterFinishReasonError
        IncompleteStreamError InternalServerError LengthFinishReasonError NotFoundError
        OpenAIError PermissionDeniedError RateLimitError UnprocessableEntityError
    """,
    "headers": "Headers RateLimits",
    "http": """
        NOT_GIVEN NotGiven Omit not_given omit
        AsyncTransport HttpRequest HttpResponse Timeout Transport TransportError
        TransportTimeout
    """,
    "client.pagination": "AsyncCursorPage AsyncPaginator SyncCursorPage",
    "transports.httpx": "DefaultAsyncHttpxClient DefaultHttpxClient",
    "types.page": "CursorPage next_cursor",
    "many.result": "Result",
    "many.tasks": "AsyncResults arun_many",
    "many.threads": "Results run_many",
    "retry": "RetryPolicy decide retry_delay",
    "streaming.partial_json": "PartialJson",
    "structured.json_schema": "json_schema",
    "wire.sse": "SSEDecoder ServerSentEvent read_events",
    "streaming.events": "ChatCompletionStreamState",
    "streaming.chunk_reader": "ChunkReader read_chunks",
    "structured.completions": "ParseError parse_completion response_format_of",
    "structured.tools": "Tool function_tool pydantic_function_tool",
    "structured.tool_runs": """
        ToolRoundsExceededError ToolRun ToolRunEvent atool_results tool_results
    """,
    "structured.decoder": "DecodeError decode decode_json",
    "types.values": """
        AssistantMessage DeveloperMessage ImagePart SystemMessage TextPart ToolMessage UserMessage
    """,
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_MODULE_SETTINGS = frozenset(
    """
    api_key organization project base_url timeout max_retries default_headers default_query
    http_client api_type api_version azure_endpoint azure_ad_token azure_ad_token_provider
    """.split()
)
_OWN_NAMES = {
    "AsyncClient": "AsyncOpenAI",
    "BaseModel": "JsonObject",
    "Client": "OpenAI",
    "VERSION": "__version__",
}
"""Names of the official package for what has another name here."""

__all__ = ["__title__", "__version__", *sorted(_HOME_OF)]  # pyright: ignore[reportUnsupportedDunderAll]


if not TYPE_CHECKING:  # for type checkers, a name that is not imported here is an error

    def __getattr__(name: str) -> Any:
        home = _HOME_OF.get(name)
        if name in ("chat", "beta", "models"):
            from chatlib.client.module import client_of

            return getattr(client_of(globals()), name)
        if name in _MODULE_SETTINGS:
            return None
        if home is None:
            # The submodules, as in `import chatlib; chatlib.types`.
            if importlib.util.find_spec(f"chatlib.{name}") is not None:
                return importlib.import_module(f"chatlib.{name}")
            raise AttributeError(
                f"module 'chatlib' has no attribute {name!r}; it is for chat completions, and the "
                "official package for the rest of the API"
            )
        module = importlib.import_module(f"chatlib.{home}")
        value = getattr(module, _OWN_NAMES.get(name, name))
        globals()[name] = value
        return value


class _OfficialPaths:
    """Asked by Python, after all others, for a module path of the official package."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> Any:
        if not name.startswith("chatlib."):
            return None
        from chatlib import official_paths

        return official_paths.find_spec(name)


sys.meta_path.append(_OfficialPaths)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
