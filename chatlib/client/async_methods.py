"""The methods of the async clients with each parameter by its name.

Written by ``scripts/write_signatures.py`` from the tables in ``chatlib/types/params.py`` and
``chatlib/client/settings.py``: change these, and run it.
"""

# mypy: disable-error-code=no-any-return

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from chatlib.client.arguments import arguments
from chatlib.config import DEFAULT_MAX_RETRIES
from chatlib.http import omit
from chatlib.size_limits import (
    DEFAULT_MAX_ERROR_BYTES,
    DEFAULT_MAX_EVENT_BYTES,
    DEFAULT_MAX_RESPONSE_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from typing_extensions import Self

    from chatlib.client.async_streams import AsyncStream
    from chatlib.client.async_typed_stream import AsyncChatCompletionStreamManager
    from chatlib.client.pagination import AsyncPaginator
    from chatlib.config import KeyFunction, KeyLike, Secret
    from chatlib.errors import APIError
    from chatlib.headers import Headers
    from chatlib.http import AsyncTransport, HttpRequest, HttpResponse, Omit, Timeout, Transport
    from chatlib.structured.tool_runs import ToolRun, ToolRunEvent
    from chatlib.timeouts import TimeoutLike
    from chatlib.types.audio import ChatCompletionAudioParam
    from chatlib.types.chunk import ChatCompletionChunk
    from chatlib.types.completion import ChatCompletion
    from chatlib.types.literals import ChatCompletionModality, ChatModel, ReasoningEffort
    from chatlib.types.message import MessageLike
    from chatlib.types.moderation import CompletionCreateParamsModeration
    from chatlib.types.params import ExtraBody, ExtraHeaders, ExtraQuery
    from chatlib.types.parsed import ParsedChatCompletion
    from chatlib.types.prediction import ChatCompletionPredictionContentParam
    from chatlib.types.prompt_cache import PromptCacheOptions
    from chatlib.types.response_format import ResponseFormatLike
    from chatlib.types.stored import ChatCompletionDeleted, ChatCompletionStoreMessage
    from chatlib.types.stream_options import StreamOptionsLike
    from chatlib.types.tool import CompletionCreateParamsFunction, ToolLike
    from chatlib.types.tool_choice import ChatCompletionFunctionCallOptionParam, ToolChoiceLike
    from chatlib.types.untyped import AnyDict
    from chatlib.types.web_search import WebSearchOptions

T = TypeVar("T")


class AsyncOpenAI:
    """The constructor and the settings of the client, each by its name."""

    _initialize: Callable[[dict[str, Any]], None]
    _with_changes: Callable[[dict[str, Any]], Any]

    def __init__(
        self,
        *,
        api_key: KeyLike | None = None,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str | None] | None = None,
        default_query: Mapping[str, object] | None = None,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
        max_error_bytes: int = DEFAULT_MAX_ERROR_BYTES,
        on_request: Callable[[HttpRequest], object] | None = None,
        on_response: Callable[[HttpResponse], object] | None = None,
        on_retry: Callable[[APIError, float], object] | None = None,
        http_client: Any = None,
        transport: AsyncTransport | Transport | None = None,
        sleep: Callable[[float], object] | None = None,
        admin_api_key: None = None,
        webhook_secret: None = None,
        websocket_base_url: None = None,
        data_residency: None = None,
        provider: None = None,
        workload_identity: None = None,
        _strict_response_validation: bool | None = None,
        _enforce_credentials: bool | None = None,
    ) -> None:
        """Make a client.

        Args:
            api_key: The API key, or a function that returns it and is called for each attempt.
                Default: the environment variable ``OPENAI_API_KEY``.
            base_url: The base URL, to which ``/chat/completions`` is added. Default: the
                environment variable ``OPENAI_BASE_URL``, or the OpenAI API.
            organization: The organization. Default: the environment variable ``OPENAI_ORG_ID``.
            project: The project. Default: the environment variable ``OPENAI_PROJECT_ID``.
            timeout: The timeout in seconds, a :class:`~chatlib.http.Timeout`, or None for no
                timeout. Default: 600 seconds, and 5 seconds to connect.
            max_retries: The maximum number of retries. Default: 2.
            default_headers: Headers for each request; the value None removes a header.
            default_query: Query parameters for each request.
            max_response_bytes: The maximum size of an answer that is not streamed, decompressed.
                Default: 256 MiB.
            max_event_bytes: The maximum size of one event of a stream. Default: 64 MiB.
            max_error_bytes: How much of the body of an error status is read. Default: 1 MiB.
            on_request: Called with each request before it is sent, including retries and redirects.
            on_response: Called with each response when its headers have arrived.
            on_retry: Called with the error of an attempt that is retried, and the delay in seconds.
            http_client: An ``httpx`` client or a ``requests.Session`` to send with, in place of
                ``transport``.
            transport: A transport, in place of the default one.
            sleep: Sleeps between attempts.
            admin_api_key: Not used: the endpoints of administrators are not part of chatlib.
            webhook_secret: Not used: webhooks are not part of chatlib.
            websocket_base_url: Not used: the Realtime API is not part of chatlib.
            data_residency: Not used: ``base_url`` names the endpoint of a region.
            provider: Not used: ``base_url`` and ``api_key`` choose the provider.
            workload_identity: Not used: ``api_key`` takes a function that returns a token.
            _strict_response_validation: Not used: the fields of answers are not validated.
            _enforce_credentials: Not used: ``api_key="none"`` is for servers without
                authentication.
        """
        given = arguments(locals())
        del api_key, default_headers, default_query, base_url
        self._initialize(given)

    def with_options(
        self,
        *,
        api_key: KeyLike | None = None,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        default_headers: Mapping[str, str | None] | None = None,
        default_query: Mapping[str, object] | None = None,
        max_response_bytes: int | Omit = omit,
        max_event_bytes: int | Omit = omit,
        max_error_bytes: int | Omit = omit,
        on_request: Callable[[HttpRequest], object] | None = None,
        on_response: Callable[[HttpResponse], object] | None = None,
        on_retry: Callable[[APIError, float], object] | None = None,
        http_client: Any = None,
        set_default_headers: Mapping[str, str | None] | None = None,
        set_default_query: Mapping[str, object] | None = None,
        transport: AsyncTransport | Transport | None = None,
    ) -> Self:
        """Return a copy of this client with some settings changed, which shares its connections.

        Args:
            api_key: The API key, or a function that returns it and is called for each attempt.
                Default: the environment variable ``OPENAI_API_KEY``.
            base_url: The base URL, to which ``/chat/completions`` is added. Default: the
                environment variable ``OPENAI_BASE_URL``, or the OpenAI API.
            organization: The organization. Default: the environment variable ``OPENAI_ORG_ID``.
            project: The project. Default: the environment variable ``OPENAI_PROJECT_ID``.
            timeout: The timeout in seconds, a :class:`~chatlib.http.Timeout`, or None for no
                timeout. Default: 600 seconds, and 5 seconds to connect.
            max_retries: The maximum number of retries. Default: 2.
            default_headers: Headers for each request; the value None removes a header.
            default_query: Query parameters for each request.
            max_response_bytes: The maximum size of an answer that is not streamed, decompressed.
                Default: 256 MiB.
            max_event_bytes: The maximum size of one event of a stream. Default: 64 MiB.
            max_error_bytes: How much of the body of an error status is read. Default: 1 MiB.
            on_request: Called with each request before it is sent, including retries and redirects.
            on_response: Called with each response when its headers have arrived.
            on_retry: Called with the error of an attempt that is retried, and the delay in seconds.
            http_client: An ``httpx`` client or a ``requests.Session`` to send with, in place of
                ``transport``.
            set_default_headers: Replaces all default headers; ``default_headers`` is merged into
                them.
            set_default_query: Replaces the default query; ``default_query`` is merged into it.
            transport: A transport, in place of the default one.

        Returns:
            The copy.
        """
        given = arguments(locals())
        del api_key, default_headers, default_query, base_url, set_default_headers, set_default_query
        return self._with_changes(given)

    copy = with_options


class AsyncAzureOpenAI:
    """The constructor and the settings of the client, each by its name."""

    _initialize: Callable[[dict[str, Any]], None]
    _with_changes: Callable[[dict[str, Any]], Any]

    def __init__(
        self,
        *,
        api_key: KeyLike | None = None,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str | None] | None = None,
        default_query: Mapping[str, object] | None = None,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
        max_error_bytes: int = DEFAULT_MAX_ERROR_BYTES,
        on_request: Callable[[HttpRequest], object] | None = None,
        on_response: Callable[[HttpResponse], object] | None = None,
        on_retry: Callable[[APIError, float], object] | None = None,
        http_client: Any = None,
        azure_endpoint: str | None = None,
        azure_deployment: str | None = None,
        api_version: str | None = None,
        azure_ad_token: str | Secret | None = None,
        azure_ad_token_provider: KeyFunction | None = None,
        transport: AsyncTransport | Transport | None = None,
        sleep: Callable[[float], object] | None = None,
        admin_api_key: None = None,
        webhook_secret: None = None,
        websocket_base_url: None = None,
        data_residency: None = None,
        provider: None = None,
        workload_identity: None = None,
        _strict_response_validation: bool | None = None,
        _enforce_credentials: bool | None = None,
    ) -> None:
        """Make a client.

        Args:
            api_key: The API key, or a function that returns it and is called for each attempt.
                Default: the environment variable ``OPENAI_API_KEY``.
            base_url: The base URL, to which ``/chat/completions`` is added. Default: the
                environment variable ``OPENAI_BASE_URL``, or the OpenAI API.
            organization: The organization. Default: the environment variable ``OPENAI_ORG_ID``.
            project: The project. Default: the environment variable ``OPENAI_PROJECT_ID``.
            timeout: The timeout in seconds, a :class:`~chatlib.http.Timeout`, or None for no
                timeout. Default: 600 seconds, and 5 seconds to connect.
            max_retries: The maximum number of retries. Default: 2.
            default_headers: Headers for each request; the value None removes a header.
            default_query: Query parameters for each request.
            max_response_bytes: The maximum size of an answer that is not streamed, decompressed.
                Default: 256 MiB.
            max_event_bytes: The maximum size of one event of a stream. Default: 64 MiB.
            max_error_bytes: How much of the body of an error status is read. Default: 1 MiB.
            on_request: Called with each request before it is sent, including retries and redirects.
            on_response: Called with each response when its headers have arrived.
            on_retry: Called with the error of an attempt that is retried, and the delay in seconds.
            http_client: An ``httpx`` client or a ``requests.Session`` to send with, in place of
                ``transport``.
            azure_endpoint: The endpoint of the resource. Default: ``AZURE_OPENAI_ENDPOINT``.
            azure_deployment: The deployment. Default: the one with the name of the model.
            api_version: The API version. Default: ``OPENAI_API_VERSION``.
            azure_ad_token: A Microsoft Entra ID token.
            azure_ad_token_provider: A function that returns a token, called for each attempt.
            transport: As for ``OpenAI``.
            sleep: Sleeps between attempts.
            admin_api_key: Not used: the endpoints of administrators are not part of chatlib.
            webhook_secret: Not used: webhooks are not part of chatlib.
            websocket_base_url: Not used: the Realtime API is not part of chatlib.
            data_residency: Not used: ``base_url`` names the endpoint of a region.
            provider: Not used: ``base_url`` and ``api_key`` choose the provider.
            workload_identity: Not used: ``api_key`` takes a function that returns a token.
            _strict_response_validation: Not used: the fields of answers are not validated.
            _enforce_credentials: Not used: ``api_key="none"`` is for servers without
                authentication.
        """
        given = arguments(locals())
        del api_key, default_headers, default_query, base_url, azure_ad_token, azure_ad_token_provider, azure_endpoint
        self._initialize(given)

    def with_options(
        self,
        *,
        api_key: KeyLike | None = None,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        default_headers: Mapping[str, str | None] | None = None,
        default_query: Mapping[str, object] | None = None,
        max_response_bytes: int | Omit = omit,
        max_event_bytes: int | Omit = omit,
        max_error_bytes: int | Omit = omit,
        on_request: Callable[[HttpRequest], object] | None = None,
        on_response: Callable[[HttpResponse], object] | None = None,
        on_retry: Callable[[APIError, float], object] | None = None,
        http_client: Any = None,
        azure_endpoint: str | None = None,
        azure_deployment: str | None = None,
        api_version: str | None = None,
        azure_ad_token: str | Secret | None = None,
        azure_ad_token_provider: KeyFunction | None = None,
        set_default_headers: Mapping[str, str | None] | None = None,
        set_default_query: Mapping[str, object] | None = None,
        transport: AsyncTransport | Transport | None = None,
    ) -> Self:
        """Return a copy of this client with some settings changed, which shares its connections.

        Args:
            api_key: The API key, or a function that returns it and is called for each attempt.
                Default: the environment variable ``OPENAI_API_KEY``.
            base_url: The base URL, to which ``/chat/completions`` is added. Default: the
                environment variable ``OPENAI_BASE_URL``, or the OpenAI API.
            organization: The organization. Default: the environment variable ``OPENAI_ORG_ID``.
            project: The project. Default: the environment variable ``OPENAI_PROJECT_ID``.
            timeout: The timeout in seconds, a :class:`~chatlib.http.Timeout`, or None for no
                timeout. Default: 600 seconds, and 5 seconds to connect.
            max_retries: The maximum number of retries. Default: 2.
            default_headers: Headers for each request; the value None removes a header.
            default_query: Query parameters for each request.
            max_response_bytes: The maximum size of an answer that is not streamed, decompressed.
                Default: 256 MiB.
            max_event_bytes: The maximum size of one event of a stream. Default: 64 MiB.
            max_error_bytes: How much of the body of an error status is read. Default: 1 MiB.
            on_request: Called with each request before it is sent, including retries and redirects.
            on_response: Called with each response when its headers have arrived.
            on_retry: Called with the error of an attempt that is retried, and the delay in seconds.
            http_client: An ``httpx`` client or a ``requests.Session`` to send with, in place of
                ``transport``.
            azure_endpoint: The endpoint of the resource. Default: ``AZURE_OPENAI_ENDPOINT``.
            azure_deployment: The deployment. Default: the one with the name of the model.
            api_version: The API version. Default: ``OPENAI_API_VERSION``.
            azure_ad_token: A Microsoft Entra ID token.
            azure_ad_token_provider: A function that returns a token, called for each attempt.
            set_default_headers: Replaces all default headers; ``default_headers`` is merged into
                them.
            set_default_query: Replaces the default query; ``default_query`` is merged into it.
            transport: As for ``OpenAI``.

        Returns:
            The copy.
        """
        given = arguments(locals())
        del api_key, default_headers, default_query, base_url, azure_ad_token, azure_ad_token_provider, azure_endpoint, set_default_headers, set_default_query
        return self._with_changes(given)

    copy = with_options


class AsyncCompletions:
    """The methods of ``client.chat.completions``, each parameter by its name."""

    _create: Callable[[dict[str, Any]], Any]
    _retrieve: Callable[[dict[str, Any]], Any]
    _update: Callable[[dict[str, Any]], Any]
    _delete: Callable[[dict[str, Any]], Any]
    _parse: Callable[[dict[str, Any]], Any]
    _stream: Callable[[dict[str, Any]], Any]
    _run: Callable[[dict[str, Any]], Any]
    _list: Callable[[dict[str, Any]], Any]

    @overload
    async def create(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: ResponseFormatLike | Omit = omit,
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream: Literal[False] | Omit | None = omit,
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ChatCompletion: ...

    @overload
    async def create(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: ResponseFormatLike | Omit = omit,
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream: Literal[True],
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> AsyncStream[ChatCompletionChunk]: ...

    @overload
    async def create(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: ResponseFormatLike | Omit = omit,
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream: bool,
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]: ...

    async def create(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: ResponseFormatLike | Omit = omit,
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream: bool | Omit | None = omit,
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]:
        """Create a chat completion.

        Args:
            messages: The conversation so far, as dicts, values or earlier answers.
            model: The id of the model.
            audio: Voice and format of an audio answer, if ``modalities`` has ``"audio"``.
            frequency_penalty: From -2 to 2; a positive value makes tokens less likely, the more
                often they have occurred.
            function_call: Deprecated: use ``tool_choice``.
            functions: Deprecated: use ``tools``.
            logit_bias: A bias for each token id, from -100 (never) to 100 (always).
            logprobs: Whether to return the log-probabilities of the answer's tokens.
            max_completion_tokens: The maximum number of tokens to generate, reasoning included.
            max_tokens: Deprecated for reasoning models: use ``max_completion_tokens``.
            metadata: Up to 16 pairs of strings to attach to a stored completion.
            modalities: The output types: ``["text"]``, or ``["text", "audio"]``.
            moderation: The moderation model and its policy.
            n: The number of choices to generate; all of them are billed.
            parallel_tool_calls: Whether one answer may call several tools.
            prediction: Text that most of the answer will match, such as a file being edited.
            presence_penalty: From -2 to 2; a positive value makes tokens that have occurred less
                likely.
            prompt_cache_key: Calls with the same key and a similar prompt share a cache.
            prompt_cache_options: Whether the cache uses breakpoints in the messages.
            prompt_cache_retention: How long a prompt stays cached: ``"24h"`` or ``"in_memory"``.
            reasoning_effort: How much the model reasons before it answers.
            response_format: Text, JSON, or JSON that follows a schema.
            safety_identifier: A stable, hashed id of the end user, for abuse detection.
            seed: The same seed and parameters give the same answer, as far as possible.
            service_tier: The processing tier, which determines speed and price.
            stop: Up to four strings at which generation stops.
            store: Whether the server stores the completion, to be retrieved later.
            stream: True to return a stream of chunks.
            stream_options: What a stream includes besides the answer, such as the usage.
            temperature: The sampling temperature, from 0 to 2. Change this or ``top_p``, not both.
            tool_choice: Whether tools may, must or must not be called, and which.
            tools: The tools that the model may call.
            top_logprobs: How many alternatives to return for each token, 0 to 20; needs
                ``logprobs``.
            top_p: The nucleus sampling probability, from 0 to 1.
            user: Deprecated: use ``safety_identifier`` and ``prompt_cache_key``.
            verbosity: How long the answer should be.
            web_search_options: Web search options, for models that support it.
            extra_headers: Headers to add or to replace; None removes one.
            extra_query: Query parameters to add or to replace.
            extra_body: Fields to merge into the JSON, nested objects key by key.
            timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means
                no limit.
            max_retries: The maximum number of retries.
            idempotency_key: A key sent with each attempt, so that the server acts on one only.

        Returns:
            The completion; with ``stream=True``, an iterator over its chunks.
        """
        given = arguments(locals())
        del extra_headers, extra_query, extra_body
        return await self._create(given)

    async def retrieve(
        self,
        completion_id: str,
        *,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ChatCompletion:
        """Retrieve a stored completion.

        Args:
            completion_id: The ID of the completion.
            extra_headers: Headers to add or to replace; None removes one.
            extra_query: Query parameters to add or to replace.
            extra_body: Fields to merge into the JSON, nested objects key by key.
            timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means
                no limit.
            max_retries: The maximum number of retries.
            idempotency_key: A key sent with each attempt, so that the server acts on one only.

        Returns:
            The completion.
        """
        given = arguments(locals())
        del extra_headers, extra_query, extra_body
        return await self._retrieve(given)

    async def update(
        self,
        completion_id: str,
        *,
        metadata: Mapping[str, str] | None,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ChatCompletion:
        """Update the metadata of a stored completion.

        Args:
            completion_id: The ID of the completion.
            metadata: Only completions with this metadata.
            extra_headers: Headers to add or to replace; None removes one.
            extra_query: Query parameters to add or to replace.
            extra_body: Fields to merge into the JSON, nested objects key by key.
            timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means
                no limit.
            max_retries: The maximum number of retries.
            idempotency_key: A key sent with each attempt, so that the server acts on one only.

        Returns:
            The updated completion.
        """
        given = arguments(locals())
        del extra_headers, extra_query, extra_body
        return await self._update(given)

    async def delete(
        self,
        completion_id: str,
        *,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ChatCompletionDeleted:
        """Delete a stored completion.

        Args:
            completion_id: The ID of the completion.
            extra_headers: Headers to add or to replace; None removes one.
            extra_query: Query parameters to add or to replace.
            extra_body: Fields to merge into the JSON, nested objects key by key.
            timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means
                no limit.
            max_retries: The maximum number of retries.
            idempotency_key: A key sent with each attempt, so that the server acts on one only.

        Returns:
            The confirmation of the server.
        """
        given = arguments(locals())
        del extra_headers, extra_query, extra_body
        return await self._delete(given)

    @overload
    async def parse(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: type[T],
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ParsedChatCompletion[T]: ...

    @overload
    async def parse(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: Omit = omit,
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ParsedChatCompletion[None]: ...

    async def parse(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: Any = omit,
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ParsedChatCompletion[Any]:
        """Create a chat completion and decode its content into a type.

        Args:
            messages: The conversation so far, as dicts, values or earlier answers.
            model: The id of the model.
            audio: Voice and format of an audio answer, if ``modalities`` has ``"audio"``.
            frequency_penalty: From -2 to 2; a positive value makes tokens less likely, the more
                often they have occurred.
            function_call: Deprecated: use ``tool_choice``.
            functions: Deprecated: use ``tools``.
            logit_bias: A bias for each token id, from -100 (never) to 100 (always).
            logprobs: Whether to return the log-probabilities of the answer's tokens.
            max_completion_tokens: The maximum number of tokens to generate, reasoning included.
            max_tokens: Deprecated for reasoning models: use ``max_completion_tokens``.
            metadata: Up to 16 pairs of strings to attach to a stored completion.
            modalities: The output types: ``["text"]``, or ``["text", "audio"]``.
            moderation: The moderation model and its policy.
            n: The number of choices to generate; all of them are billed.
            parallel_tool_calls: Whether one answer may call several tools.
            prediction: Text that most of the answer will match, such as a file being edited.
            presence_penalty: From -2 to 2; a positive value makes tokens that have occurred less
                likely.
            prompt_cache_key: Calls with the same key and a similar prompt share a cache.
            prompt_cache_options: Whether the cache uses breakpoints in the messages.
            prompt_cache_retention: How long a prompt stays cached: ``"24h"`` or ``"in_memory"``.
            reasoning_effort: How much the model reasons before it answers.
            response_format: The type to decode the answer into.
            safety_identifier: A stable, hashed id of the end user, for abuse detection.
            seed: The same seed and parameters give the same answer, as far as possible.
            service_tier: The processing tier, which determines speed and price.
            stop: Up to four strings at which generation stops.
            store: Whether the server stores the completion, to be retrieved later.
            stream_options: What a stream includes besides the answer, such as the usage.
            temperature: The sampling temperature, from 0 to 2. Change this or ``top_p``, not both.
            tool_choice: Whether tools may, must or must not be called, and which.
            tools: The tools that the model may call.
            top_logprobs: How many alternatives to return for each token, 0 to 20; needs
                ``logprobs``.
            top_p: The nucleus sampling probability, from 0 to 1.
            user: Deprecated: use ``safety_identifier`` and ``prompt_cache_key``.
            verbosity: How long the answer should be.
            web_search_options: Web search options, for models that support it.
            extra_headers: Headers to add or to replace; None removes one.
            extra_query: Query parameters to add or to replace.
            extra_body: Fields to merge into the JSON, nested objects key by key.
            timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means
                no limit.
            max_retries: The maximum number of retries.
            idempotency_key: A key sent with each attempt, so that the server acts on one only.

        Returns:
            The completion; ``choices[0].message.parsed`` is the decoded value.
        """
        given = arguments(locals())
        del extra_headers, extra_query, extra_body
        return await self._parse(given)

    @overload
    def stream(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: type[T],
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> AsyncChatCompletionStreamManager[T]: ...

    @overload
    def stream(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: Any = omit,
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> AsyncChatCompletionStreamManager[Any]: ...

    def stream(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: Any = omit,
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        stream_options: StreamOptionsLike | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        tools: Iterable[ToolLike] | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> AsyncChatCompletionStreamManager[Any]:
        """Stream a chat completion as events, each with a snapshot of the completion so far.

        Args:
            messages: The conversation so far, as dicts, values or earlier answers.
            model: The id of the model.
            audio: Voice and format of an audio answer, if ``modalities`` has ``"audio"``.
            frequency_penalty: From -2 to 2; a positive value makes tokens less likely, the more
                often they have occurred.
            function_call: Deprecated: use ``tool_choice``.
            functions: Deprecated: use ``tools``.
            logit_bias: A bias for each token id, from -100 (never) to 100 (always).
            logprobs: Whether to return the log-probabilities of the answer's tokens.
            max_completion_tokens: The maximum number of tokens to generate, reasoning included.
            max_tokens: Deprecated for reasoning models: use ``max_completion_tokens``.
            metadata: Up to 16 pairs of strings to attach to a stored completion.
            modalities: The output types: ``["text"]``, or ``["text", "audio"]``.
            moderation: The moderation model and its policy.
            n: The number of choices to generate; all of them are billed.
            parallel_tool_calls: Whether one answer may call several tools.
            prediction: Text that most of the answer will match, such as a file being edited.
            presence_penalty: From -2 to 2; a positive value makes tokens that have occurred less
                likely.
            prompt_cache_key: Calls with the same key and a similar prompt share a cache.
            prompt_cache_options: Whether the cache uses breakpoints in the messages.
            prompt_cache_retention: How long a prompt stays cached: ``"24h"`` or ``"in_memory"``.
            reasoning_effort: How much the model reasons before it answers.
            response_format: A type to decode the answer into, or a format.
            safety_identifier: A stable, hashed id of the end user, for abuse detection.
            seed: The same seed and parameters give the same answer, as far as possible.
            service_tier: The processing tier, which determines speed and price.
            stop: Up to four strings at which generation stops.
            store: Whether the server stores the completion, to be retrieved later.
            stream_options: What a stream includes besides the answer, such as the usage.
            temperature: The sampling temperature, from 0 to 2. Change this or ``top_p``, not both.
            tool_choice: Whether tools may, must or must not be called, and which.
            tools: The tools that the model may call.
            top_logprobs: How many alternatives to return for each token, 0 to 20; needs
                ``logprobs``.
            top_p: The nucleus sampling probability, from 0 to 1.
            user: Deprecated: use ``safety_identifier`` and ``prompt_cache_key``.
            verbosity: How long the answer should be.
            web_search_options: Web search options, for models that support it.
            extra_headers: Headers to add or to replace; None removes one.
            extra_query: Query parameters to add or to replace.
            extra_body: Fields to merge into the JSON, nested objects key by key.
            timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means
                no limit.
            max_retries: The maximum number of retries.
            idempotency_key: A key sent with each attempt, so that the server acts on one only.

        Returns:
            A context manager that opens the stream of events.
        """
        given = arguments(locals())
        del extra_headers, extra_query, extra_body
        return self._stream(given)

    async def run(
        self,
        *,
        messages: Iterable[MessageLike],
        model: ChatModel | str,
        tools: Iterable[Any],
        audio: ChatCompletionAudioParam | AnyDict | Omit | None = omit,
        frequency_penalty: float | Omit | None = omit,
        function_call: Literal['none', 'auto'] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit = omit,
        functions: Iterable[CompletionCreateParamsFunction | AnyDict] | Omit = omit,
        logit_bias: Mapping[str, int] | Omit | None = omit,
        logprobs: bool | Omit | None = omit,
        max_completion_tokens: int | Omit | None = omit,
        max_rounds: int = 10,
        max_tokens: int | Omit | None = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        modalities: Sequence[ChatCompletionModality] | Omit | None = omit,
        moderation: CompletionCreateParamsModeration | AnyDict | Omit | None = omit,
        n: int | Omit | None = omit,
        on_event: Callable[[ToolRunEvent], object] | None = None,
        parallel_tool_calls: bool | Omit = omit,
        prediction: ChatCompletionPredictionContentParam | AnyDict | Omit | None = omit,
        presence_penalty: float | Omit | None = omit,
        prompt_cache_key: str | Omit | None = omit,
        prompt_cache_options: PromptCacheOptions | AnyDict | Omit = omit,
        prompt_cache_retention: Literal['in_memory', 'in-memory', '24h'] | Omit | None = omit,
        reasoning_effort: ReasoningEffort | Omit = omit,
        response_format: ResponseFormatLike | Omit = omit,
        safety_identifier: str | Omit | None = omit,
        seed: int | Omit | None = omit,
        service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast'] | Omit | None = omit,
        stop: str | Sequence[str] | Omit | None = omit,
        store: bool | Omit | None = omit,
        temperature: float | Omit | None = omit,
        tool_choice: ToolChoiceLike | Omit = omit,
        top_logprobs: int | Omit | None = omit,
        top_p: float | Omit | None = omit,
        user: str | Omit = omit,
        verbosity: Literal['low', 'medium', 'high'] | Omit | None = omit,
        web_search_options: WebSearchOptions | AnyDict | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> ToolRun:
        """Create completions and execute the tools that the model calls, until it answers.

        Args:
            messages: The conversation so far, as dicts, values or earlier answers.
            model: The id of the model.
            tools: Functions, and tools made of them.
            audio: Voice and format of an audio answer, if ``modalities`` has ``"audio"``.
            frequency_penalty: From -2 to 2; a positive value makes tokens less likely, the more
                often they have occurred.
            function_call: Deprecated: use ``tool_choice``.
            functions: Deprecated: use ``tools``.
            logit_bias: A bias for each token id, from -100 (never) to 100 (always).
            logprobs: Whether to return the log-probabilities of the answer's tokens.
            max_completion_tokens: The maximum number of tokens to generate, reasoning included.
            max_rounds: The maximum number of completions.
            max_tokens: Deprecated for reasoning models: use ``max_completion_tokens``.
            metadata: Up to 16 pairs of strings to attach to a stored completion.
            modalities: The output types: ``["text"]``, or ``["text", "audio"]``.
            moderation: The moderation model and its policy.
            n: The number of choices to generate; all of them are billed.
            on_event: Called with each completion and tool result.
            parallel_tool_calls: Whether one answer may call several tools.
            prediction: Text that most of the answer will match, such as a file being edited.
            presence_penalty: From -2 to 2; a positive value makes tokens that have occurred less
                likely.
            prompt_cache_key: Calls with the same key and a similar prompt share a cache.
            prompt_cache_options: Whether the cache uses breakpoints in the messages.
            prompt_cache_retention: How long a prompt stays cached: ``"24h"`` or ``"in_memory"``.
            reasoning_effort: How much the model reasons before it answers.
            response_format: Text, JSON, or JSON that follows a schema.
            safety_identifier: A stable, hashed id of the end user, for abuse detection.
            seed: The same seed and parameters give the same answer, as far as possible.
            service_tier: The processing tier, which determines speed and price.
            stop: Up to four strings at which generation stops.
            store: Whether the server stores the completion, to be retrieved later.
            temperature: The sampling temperature, from 0 to 2. Change this or ``top_p``, not both.
            tool_choice: Whether tools may, must or must not be called, and which.
            top_logprobs: How many alternatives to return for each token, 0 to 20; needs
                ``logprobs``.
            top_p: The nucleus sampling probability, from 0 to 1.
            user: Deprecated: use ``safety_identifier`` and ``prompt_cache_key``.
            verbosity: How long the answer should be.
            web_search_options: Web search options, for models that support it.
            extra_headers: Headers to add or to replace; None removes one.
            extra_query: Query parameters to add or to replace.
            extra_body: Fields to merge into the JSON, nested objects key by key.
            timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means
                no limit.
            max_retries: The maximum number of retries.
            idempotency_key: A key sent with each attempt, so that the server acts on one only.

        Returns:
            The answer and the conversation that led to it.
        """
        given = arguments(locals())
        del extra_headers, extra_query, extra_body
        return await self._run(given)

    def list(
        self,
        *,
        after: str | Omit = omit,
        limit: int | Omit = omit,
        metadata: Mapping[str, str] | Omit | None = omit,
        model: str | Omit = omit,
        order: Literal['asc', 'desc'] | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> AsyncPaginator[ChatCompletion]:
        """List the stored completions, one page at a time.

        Args:
            after: The id of the completion after which the page begins.
            limit: The maximum number of completions on a page, up to 100 (default 20).
            metadata: Only completions with this metadata.
            model: Only completions of this model.
            order: ``"asc"`` for the oldest first, ``"desc"`` for the newest first.
            extra_headers: Headers to add or to replace; None removes one.
            extra_query: Query parameters to add or to replace.
            extra_body: Fields to merge into the JSON, nested objects key by key.
            timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means
                no limit.
            max_retries: The maximum number of retries.
            idempotency_key: A key sent with each attempt, so that the server acts on one only.

        Returns:
            The first page; iterating over it also fetches the following pages.
        """
        given = arguments(locals())
        del extra_headers, extra_query, extra_body
        return self._list(given)


class AsyncMessages:
    """The methods of ``client.chat.completions.messages``."""

    _list: Callable[[dict[str, Any]], Any]

    def list(
        self,
        completion_id: str,
        *,
        after: str | Omit = omit,
        limit: int | Omit = omit,
        order: Literal['asc', 'desc'] | Omit = omit,
        extra_headers: ExtraHeaders | None | Omit = omit,
        extra_query: ExtraQuery | None | Omit = omit,
        extra_body: ExtraBody | None | Omit = omit,
        timeout: TimeoutLike | Omit = omit,
        max_retries: int | Omit = omit,
        idempotency_key: str | Omit | None = omit,
    ) -> AsyncPaginator[ChatCompletionStoreMessage]:
        """List the messages of a stored completion, one page at a time.

        Args:
            completion_id: The ID of the completion.
            after: The id of the message after which the page begins.
            limit: The maximum number of messages on a page, up to 100 (default 20).
            order: ``"asc"`` for the oldest first, ``"desc"`` for the newest first.
            extra_headers: Headers to add or to replace; None removes one.
            extra_query: Query parameters to add or to replace.
            extra_body: Fields to merge into the JSON, nested objects key by key.
            timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means
                no limit.
            max_retries: The maximum number of retries.
            idempotency_key: A key sent with each attempt, so that the server acts on one only.

        Returns:
            The first page; iterating over it also fetches the following pages.
        """
        given = arguments(locals())
        del extra_headers, extra_query, extra_body
        return self._list(given)
