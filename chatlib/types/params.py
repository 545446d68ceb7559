"""Parameters and options of each call; :class:`TypedAnswerParams` documents the parameters."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.http import Omit
from chatlib.timeouts import TimeoutLike
from chatlib.types.audio import ChatCompletionAudioParam
from chatlib.types.literals import ChatCompletionModality, ChatModel, ReasoningEffort
from chatlib.types.message import MessageLike
from chatlib.types.moderation import CompletionCreateParamsModeration
from chatlib.types.prediction import ChatCompletionPredictionContentParam
from chatlib.types.prompt_cache import PromptCacheOptions
from chatlib.types.response_format import ResponseFormatLike
from chatlib.types.stream_options import StreamOptionsLike
from chatlib.types.tool import CompletionCreateParamsFunction, ToolLike
from chatlib.types.tool_choice import ChatCompletionFunctionCallOptionParam, ToolChoiceLike
from chatlib.types.untyped import AnyDict
from chatlib.types.web_search import WebSearchOptions

__all__ = [
    "CREATE_PARAMS",
    "CompletionCreateParams",
    "CompletionCreateParamsBase",
    "CompletionCreateParamsNonStreaming",
    "CompletionCreateParamsStreaming",
    "CompletionListParams",
    "CompletionUpdateParams",
    "CreateOptions",
    "CreateParams",
    "ExtraBody",
    "ExtraHeaders",
    "ExtraQuery",
    "ListParams",
    "MessageListParams",
    "RequestOptions",
    "TypedAnswerOptions",
    "TypedAnswerParams",
    "UpdateParams",
]


class TypedAnswerParams(TypedDict):
    """Parameters of a completion, except ``response_format`` and ``stream``.

    Only ``messages`` and ``model`` are required. A parameter that is left out, or is ``omit``, is
    not sent; ``None`` is sent as ``null``. Which parameters have an effect depends on the model.

    Parameters:
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
        stream_options: What a stream includes besides the answer, such as the usage.
        temperature: The sampling temperature, from 0 to 2. Change this or ``top_p``, not both.
        tool_choice: Whether tools may, must or must not be called, and which.
        tools: The tools that the model may call.
        top_logprobs: How many alternatives to return for each token, 0 to 20; needs ``logprobs``.
        top_p: The nucleus sampling probability, from 0 to 1.
        user: Deprecated: use ``safety_identifier`` and ``prompt_cache_key``.
        verbosity: How long the answer should be.
        web_search_options: Web search options, for models that support it.
    """

    messages: Iterable[MessageLike]
    model: ChatModel | str
    audio: NotRequired[ChatCompletionAudioParam | AnyDict | Omit | None]
    frequency_penalty: NotRequired[float | Omit | None]
    function_call: NotRequired[
        Literal["none", "auto"] | ChatCompletionFunctionCallOptionParam | AnyDict | Omit
    ]
    functions: NotRequired[Iterable[CompletionCreateParamsFunction | AnyDict] | Omit]
    logit_bias: NotRequired[Mapping[str, int] | Omit | None]
    logprobs: NotRequired[bool | Omit | None]
    max_completion_tokens: NotRequired[int | Omit | None]
    max_tokens: NotRequired[int | Omit | None]
    metadata: NotRequired[Mapping[str, str] | Omit | None]
    modalities: NotRequired[Sequence[ChatCompletionModality] | Omit | None]
    moderation: NotRequired[CompletionCreateParamsModeration | AnyDict | Omit | None]
    n: NotRequired[int | Omit | None]
    parallel_tool_calls: NotRequired[bool | Omit]
    prediction: NotRequired[ChatCompletionPredictionContentParam | AnyDict | Omit | None]
    presence_penalty: NotRequired[float | Omit | None]
    prompt_cache_key: NotRequired[str | Omit | None]
    prompt_cache_options: NotRequired[PromptCacheOptions | AnyDict | Omit]
    prompt_cache_retention: NotRequired[Literal["in_memory", "in-memory", "24h"] | Omit | None]
    reasoning_effort: NotRequired[ReasoningEffort | Omit]
    safety_identifier: NotRequired[str | Omit | None]
    seed: NotRequired[int | Omit | None]
    service_tier: NotRequired[
        Literal["auto", "default", "flex", "scale", "priority", "fast"] | Omit | None
    ]
    stop: NotRequired[str | Sequence[str] | Omit | None]
    store: NotRequired[bool | Omit | None]
    stream_options: NotRequired[StreamOptionsLike | Omit | None]
    temperature: NotRequired[float | Omit | None]
    tool_choice: NotRequired[ToolChoiceLike | Omit]
    tools: NotRequired[Iterable[ToolLike] | Omit]
    top_logprobs: NotRequired[int | Omit | None]
    top_p: NotRequired[float | Omit | None]
    user: NotRequired[str | Omit]
    verbosity: NotRequired[Literal["low", "medium", "high"] | Omit | None]
    web_search_options: NotRequired[WebSearchOptions | AnyDict | Omit]


class CreateParams(TypedAnswerParams):
    """Parameters of a completion: those of :class:`TypedAnswerParams`, and ``response_format``."""

    response_format: NotRequired[ResponseFormatLike | Omit]


CREATE_PARAMS = frozenset(CreateParams.__annotations__) | {"stream"}
"""The names of the parameters in the body of the request."""


ExtraHeaders: TypeAlias = Mapping[str, str | Omit | None]
ExtraQuery: TypeAlias = Mapping[str, object]
ExtraBody: TypeAlias = Mapping[str, object]


class RequestOptions(TypedDict, total=False):
    """Options of any call.

    Parameters:
        extra_headers: Headers to add or to replace; None removes one.
        extra_query: Query parameters to add or to replace.
        extra_body: Fields to merge into the JSON, nested objects key by key.
        timeout: Seconds, or any other form of :data:`~chatlib.timeouts.TimeoutLike`; None means no
            limit.
        max_retries: The maximum number of retries.
        idempotency_key: A key sent with each attempt, so that the server acts on one only.
    """

    extra_headers: ExtraHeaders | None
    extra_query: ExtraQuery | None
    extra_body: ExtraBody | None
    timeout: TimeoutLike | Omit
    max_retries: int | Omit
    idempotency_key: str | Omit | None


class TypedAnswerOptions(TypedAnswerParams, RequestOptions):
    """Parameters and options of ``parse()`` and ``stream()``, except ``response_format``."""


class CreateOptions(CreateParams, RequestOptions):
    """Parameters and options of ``create()``, except ``stream``."""


class ListParams(TypedDict, total=False):
    """Filters and order of a list of stored completions.

    Parameters:
        after: The id of the completion after which the page begins.
        limit: The maximum number of completions on a page, up to 100 (default 20).
        metadata: Only completions with this metadata.
        model: Only completions of this model.
        order: ``"asc"`` for the oldest first, ``"desc"`` for the newest first.
    """

    after: str | Omit
    limit: int | Omit
    metadata: Mapping[str, str] | Omit | None
    model: str | Omit
    order: Literal["asc", "desc"] | Omit


class UpdateParams(TypedDict):
    """The new metadata of a stored completion, which replaces all of the old."""

    metadata: Mapping[str, str] | None


class MessageListParams(TypedDict, total=False):
    """Order and limits of a list of messages of a stored completion.

    Parameters:
        after: The id of the message after which the page begins.
        limit: The maximum number of messages on a page, up to 100 (default 20).
        order: ``"asc"`` for the oldest first, ``"desc"`` for the newest first.
    """

    after: str | Omit
    limit: int | Omit
    order: Literal["asc", "desc"] | Omit


LIST_PARAMS = frozenset(ListParams.__annotations__)
UPDATE_PARAMS = frozenset(UpdateParams.__annotations__)
MESSAGE_LIST_PARAMS = frozenset(MessageListParams.__annotations__)


class ListOptions(ListParams, RequestOptions):
    """Parameters and options of ``list()``."""


class UpdateOptions(UpdateParams, RequestOptions):
    """Parameters and options of ``update()``."""


class MessageListOptions(MessageListParams, RequestOptions):
    """Parameters and options of ``messages.list()``."""


# The same under the names known from the official package


class CompletionCreateParamsNonStreaming(CreateParams):
    """Parameters of a call that returns a completion."""

    stream: NotRequired[Literal[False] | None]


class CompletionCreateParamsStreaming(CreateParams):
    """Parameters of a call that returns a stream."""

    stream: Literal[True]


CompletionCreateParamsBase: TypeAlias = CreateParams
CompletionCreateParams: TypeAlias = (
    CompletionCreateParamsNonStreaming | CompletionCreateParamsStreaming
)
CompletionListParams: TypeAlias = ListParams
CompletionUpdateParams: TypeAlias = UpdateParams
