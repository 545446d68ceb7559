"""The parameters of every call: :class:`CreateParams` is where they are documented."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.http import Omit, Timeout
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
    "ListParams",
    "MessageListParams",
    "RequestOptions",
    "TypedAnswerOptions",
    "TypedAnswerParams",
    "UpdateParams",
]


class TypedAnswerParams(TypedDict):
    """What a completion is made from.

    Only ``messages`` and ``model`` are needed. A parameter that is left out, or is ``omit``, is not
    sent; ``None`` is sent as ``null``. Which parameters count depends on the model.

    Parameters:
        messages: The conversation so far, as dicts, values or earlier answers.
        model: The id of the model.
        audio: Voice and format of the sound, when ``modalities`` has ``"audio"``.
        frequency_penalty: From -2 to 2; above 0, tokens are the less likely the more often
            they have come.
        function_call: Deprecated: use ``tool_choice``.
        functions: Deprecated: use ``tools``.
        logit_bias: Token id to a number from -100 (never) to 100 (always).
        logprobs: Whether the log-probabilities of the answer's tokens are wanted.
        max_completion_tokens: The most tokens to generate, reasoning included.
        max_tokens: Deprecated for reasoning models: use ``max_completion_tokens``.
        metadata: Up to 16 pairs of strings to attach to a stored completion.
        modalities: What to answer in: ``["text"]``, or ``["text", "audio"]``.
        moderation: The model that moderates prompt and answer, and its policy.
        n: How many answers (choices) are wanted; all are paid for.
        parallel_tool_calls: Whether one answer may call several tools.
        prediction: What most of the answer will be, such as a file that is being edited.
        presence_penalty: From -2 to 2; above 0, tokens that have come are less likely.
        prompt_cache_key: Calls with the same key and a like prompt share a cache.
        prompt_cache_options: Whether the cache goes by breakpoints in the messages.
        prompt_cache_retention: How long a prompt stays cached: ``"24h"`` or ``"in_memory"``.
        reasoning_effort: How long to think before the answer.
        response_format: Text, JSON, or JSON that follows a schema.
        safety_identifier: A stable id of the end user, hashed, for the detection of abuse.
        seed: The same seed and parameters give the same answer, if the server can.
        service_tier: Which kind of processing to use and pay for.
        stop: Up to four texts at which to stop.
        store: Whether the server keeps the completion, to be retrieved or listed later.
        stream_options: What a stream carries besides the answer, such as the usage.
        temperature: From 0 to 2: how much chance is in the choice of tokens. Change this or
            ``top_p``, not both.
        tool_choice: Whether tools may, must or must not be called, and which.
        tools: What the model may call.
        top_logprobs: How many likely tokens to report in each place, 0 to 20; needs ``logprobs``.
        top_p: From 0 to 1: choose only among the likeliest tokens that make up this share.
        user: Deprecated: use ``safety_identifier`` and ``prompt_cache_key``.
        verbosity: How long the answer is to be.
        web_search_options: How to search the web, for models that do.
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
    """What a completion is made from: as :class:`TypedAnswerParams`, and the answer's form."""

    response_format: NotRequired[ResponseFormatLike | Omit]


CREATE_PARAMS = frozenset(CreateParams.__annotations__) | {"stream"}
"""The names of the parameters that go into the body of the request."""


class RequestOptions(TypedDict, total=False):
    """How a call is made, whichever call it is.

    Parameters:
        extra_headers: Headers to add or to replace; None leaves one out.
        extra_query: Query parameters to add or to replace.
        extra_body: Fields to merge into the JSON, nested objects key by key.
        timeout: Seconds, or a :class:`~chatlib.http.Timeout`; None means no limit.
        max_retries: How often to try again.
        idempotency_key: Sent with each attempt, so that the server acts on one of them only.
    """

    extra_headers: Mapping[str, str | Omit | None] | None
    extra_query: Mapping[str, object] | None
    extra_body: Mapping[str, object] | None
    timeout: float | Timeout | Omit | None
    max_retries: int | Omit
    idempotency_key: str | Omit | None


class TypedAnswerOptions(TypedAnswerParams, RequestOptions):
    """All that ``parse()`` and ``stream()`` take beside the type of the answer."""


class CreateOptions(CreateParams, RequestOptions):
    """What a completion is made from, and how the call is made: all of it except ``stream``."""


class ListParams(TypedDict, total=False):
    """Which stored completions to list.

    Parameters:
        after: The id of the completion after which to begin.
        limit: The most completions on one page (20 by default, up to 100).
        metadata: Only completions that have these pairs.
        model: Only completions of this model.
        order: ``"asc"`` for the oldest first, ``"desc"`` for the newest first.
    """

    after: str | Omit
    limit: int | Omit
    metadata: Mapping[str, str] | Omit | None
    model: str | Omit
    order: Literal["asc", "desc"] | Omit


class UpdateParams(TypedDict):
    """What can be changed about a stored completion: its metadata, all at once."""

    metadata: Mapping[str, str] | None


class MessageListParams(TypedDict, total=False):
    """Which messages of a stored completion to list.

    Parameters:
        after: The id of the message after which to begin.
        limit: The most messages on one page (20 by default, up to 100).
        order: ``"asc"`` for the oldest first, ``"desc"`` for the newest first.
    """

    after: str | Omit
    limit: int | Omit
    order: Literal["asc", "desc"] | Omit


LIST_PARAMS = frozenset(ListParams.__annotations__)
UPDATE_PARAMS = frozenset(UpdateParams.__annotations__)
MESSAGE_LIST_PARAMS = frozenset(MessageListParams.__annotations__)


class ListOptions(ListParams, RequestOptions):
    """Which stored completions to list, and how the call is made."""


class UpdateOptions(UpdateParams, RequestOptions):
    """What to change about a stored completion, and how the call is made."""


class MessageListOptions(MessageListParams, RequestOptions):
    """Which messages to list, and how the call is made."""


# The same under the names known from the official package


class CompletionCreateParamsNonStreaming(CreateParams):
    """The parameters of a call that answers with a whole completion."""

    stream: NotRequired[Literal[False] | None]


class CompletionCreateParamsStreaming(CreateParams):
    """The parameters of a call that answers with a stream."""

    stream: Literal[True]


CompletionCreateParamsBase: TypeAlias = CreateParams
CompletionCreateParams: TypeAlias = (
    CompletionCreateParamsNonStreaming | CompletionCreateParamsStreaming
)
CompletionListParams: TypeAlias = ListParams
CompletionUpdateParams: TypeAlias = UpdateParams
