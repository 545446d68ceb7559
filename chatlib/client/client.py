"""``OpenAI``: a config, a transport, and the operations as methods."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from chatlib._omit import Omit, omit
from chatlib.building import build_request, split_options
from chatlib.client.calls import Deadline, exchange, run_attempts, whole
from chatlib.client.closing import Closing
from chatlib.client.stream import Stream, open_stream
from chatlib.config import (
    DEFAULT_MAX_RETRIES,
    Config,
    KeyLike,
    TimeoutLike,
    config_from_env,
    retries,
)
from chatlib.endpoints import accept_for, create_content, read_completion
from chatlib.http import HttpRequest, HttpResponse, Transport
from chatlib.retry import RetryPolicy
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.completion import ChatCompletion

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from chatlib.client.typed_stream import ChatCompletionStreamManager
    from chatlib.tools import ToolRun, ToolRunEvent
    from chatlib.types.messages import MessageLike
    from chatlib.types.params import CreateOptions, RequestOptions, TypedAnswerOptions
    from chatlib.types.parsed import ParsedChatCompletion

T = TypeVar("T")


class OpenAI(Closing):
    """A client of an OpenAI-compatible server. Threads may share it.

    Args:
        api_key: The key, or a function that gives it and is called for each attempt. Without it,
            the environment variable ``OPENAI_API_KEY``.
        base_url: What comes before ``/chat/completions``. Without it, ``OPENAI_BASE_URL``, or
            OpenAI's own.
        organization: Without it, ``OPENAI_ORG_ID``.
        project: Without it, ``OPENAI_PROJECT_ID``.
        timeout: Seconds for each wait, or a :class:`~chatlib.http.Timeout` with a limit for each
            kind of wait and for the whole call, or None for no limit. 600 s for reading and 5 s
            for connecting, unless given.
        max_retries: How often a call that failed for a passing reason is tried again.
        default_headers: Headers for each request; None as a value leaves a header out.
        default_query: Query parameters for each request.
        transport: Who carries the requests: any object with ``send(request) -> response``
            (:class:`~chatlib.http.Transport`). Unless given, a
            :class:`~chatlib.transports.requests.RequestsTransport`.
        sleep: Waits between attempts; tests give their own.

    Raises:
        OpenAIError: there is no key, or it can't be sent; the base URL is not a URL.
    """

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
        transport: Transport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        given, api_key = api_key, None  # so that no traceback shows it among the variables
        try:
            self.config: Config = config_from_env(
                api_key=given,
                base_url=base_url,
                organization=organization,
                project=project,
                timeout=timeout,
                max_retries=max_retries,
                default_headers=default_headers,
                default_query=default_query,
            )
        finally:
            given = None
        self._transport = transport
        self._sleep = sleep
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        """What comes before ``/chat/completions``."""
        return self.config.base_url

    @property
    def transport(self) -> Transport:
        """Who carries the requests; the default one is made when it is first needed."""
        if self._transport is None:
            with self._lock:
                if self._transport is None:
                    from chatlib.transports.requests import RequestsTransport

                    self._transport = RequestsTransport()
        return self._transport

    @cached_property
    def chat(self) -> Chat:
        """``client.chat.completions``."""
        return Chat(self)

    @cached_property
    def beta(self) -> Beta:
        """``client.beta.chat.completions``, the same under an older name."""
        return Beta(self)

    def close(self) -> None:
        """Close the transport and its idle connections."""
        close = getattr(self._transport, "close", None)
        if close is not None:
            close()

    def __repr__(self) -> str:
        # Also asked of a client whose making failed, by tools that print a traceback's variables.
        return f"{type(self).__name__}({getattr(self, 'config', None)!r})"

    def _call(
        self,
        build: Callable[[], HttpRequest],
        receive: Callable[[HttpResponse, Deadline], T],
        options: RequestOptions,
    ) -> T:
        """Make a call: build a request, send it, receive what comes, perhaps again."""
        start = time.monotonic()  # a function that gives the key may take its time
        request = build()
        deadline = Deadline(request.timeout.total, start=start)
        count = options.get("max_retries", omit)
        policy = RetryPolicy(self.config.max_retries if isinstance(count, Omit) else retries(count))

        def attempt(number: int, asked: float | None) -> T:
            nonlocal request
            if number and callable(self.config.api_key):
                request = build()
            response = exchange(self.transport, request, deadline)
            response.attempts, response.asked_to_wait = number + 1, asked
            return receive(response, deadline)

        return run_attempts(attempt, policy, sleep=self._sleep, deadline=deadline)


class Completions:
    """``client.chat.completions``."""

    def __init__(self, client: OpenAI) -> None:
        self._client = client

    @overload
    def create(
        self, *, stream: Literal[False] | Omit | None = omit, **params: Unpack[CreateOptions]
    ) -> ChatCompletion: ...

    @overload
    def create(
        self, *, stream: Literal[True], **params: Unpack[CreateOptions]
    ) -> Stream[ChatCompletionChunk]: ...

    @overload
    def create(
        self, *, stream: bool, **params: Unpack[CreateOptions]
    ) -> ChatCompletion | Stream[ChatCompletionChunk]: ...

    def create(
        self, *, stream: bool | Omit | None = omit, **params: Unpack[CreateOptions]
    ) -> ChatCompletion | Stream[ChatCompletionChunk]:
        """Ask for a completion.

        Args:
            stream: True for a :class:`~chatlib.client.stream.Stream` of chunks as they come.
            params: The parameters of the API, see :class:`~chatlib.types.CreateParams`, and the
                options of a request, see :class:`~chatlib.types.RequestOptions`.

        Raises:
            APIStatusError: the server refused; the class says how.
            APIConnectionError: no answer came.
            APIError: the root of these, and of an error inside an answer.
            TypeError: a parameter is unknown or missing, or a value in it is not JSON.
        """
        options, body = split_options({"stream": stream, **params})
        content = create_content(body, options)
        config = self._client.config

        def build() -> HttpRequest:
            return build_request(
                config,
                "POST",
                "/chat/completions",
                content=content,
                accept=accept_for(stream),
                options=options,
            )

        if stream is True:
            return self._client._call(build, open_stream, options)
        return self._client._call(build, lambda r, d: read_completion(whole(r, d)), options)

    @overload
    def parse(
        self, *, response_format: type[T], **params: Unpack[TypedAnswerOptions]
    ) -> ParsedChatCompletion[T]: ...

    @overload
    def parse(
        self, *, response_format: Omit = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ParsedChatCompletion[None]: ...

    def parse(
        self, *, response_format: Any = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ParsedChatCompletion[Any]:
        """Ask for a completion, and read it as a type.

        Args:
            response_format: The type of the answer: an attrs class, a dataclass, a TypedDict, a
                pydantic model, ...: whatever :func:`chatlib.json_schema` knows.
            params: As for :meth:`create`. The calls of tools made by
                :func:`chatlib.function_tool`, and of other strict ones, get ``parsed_arguments``.

        Raises:
            LengthFinishReasonError, ContentFilterFinishReasonError: the answer is not whole.
            ParseError: it is not what was asked for.
            APIError: as for :meth:`create`.
            TypeError: a strict schema can't say the type.
            ValueError: a function tool is not strict.
        """
        from chatlib.client import typed_calls  # here, as not every program needs it

        return typed_calls.parse(self.create, response_format, params)

    @overload
    def stream(
        self, *, response_format: type[T], **params: Unpack[TypedAnswerOptions]
    ) -> ChatCompletionStreamManager[T]: ...

    @overload
    def stream(
        self, *, response_format: Any = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ChatCompletionStreamManager[Any]: ...

    def stream(
        self, *, response_format: Any = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ChatCompletionStreamManager[Any]:
        """Ask for a completion that comes as events, each with what has come so far.

        Use it in a ``with``, which opens and closes the stream. The usage is asked for, unless
        ``stream_options`` says otherwise.

        Args:
            response_format: A type, as for :meth:`parse`, or a response format as for
                :meth:`create`.
            params: As for :meth:`create`.
        """
        from chatlib.client import typed_calls

        return typed_calls.stream(self.create, response_format, params)

    def run(
        self,
        *,
        messages: Iterable[MessageLike],
        tools: Iterable[Any],
        max_rounds: int = 10,
        on_event: Callable[[ToolRunEvent], object] | None = None,
        **params: Any,
    ) -> ToolRun:
        """Ask, execute the tools that the model calls, send what they returned, and so on.

        Args:
            tools: Functions, and tools made by :func:`chatlib.function_tool`.
            max_rounds: How many completions to ask for at most.
            on_event: Is told of each completion and of each result, as they come.
            params: As for :meth:`create`.

        Returns:
            The answer, and the conversation that led to it.

        Raises:
            ToolRoundsExceededError: the model still calls tools after the last round.
            APIError: as for :meth:`create`.
        """
        from chatlib.client import typed_calls

        return typed_calls.run(self.create, messages, tools, max_rounds, on_event, params)


class Chat:
    """``client.chat``."""

    def __init__(self, client: OpenAI) -> None:
        self.completions = Completions(client)


class Beta:
    """``client.beta``: the older home of what is now under ``client.chat``."""

    def __init__(self, client: OpenAI) -> None:
        self.chat = client.chat
