"""A chat completion: the whole answer to one call, and the objects that it is made of."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chatlib.types.base import JsonObject, json_object
from chatlib.types.literals import FinishReason, ImageDetail, ServiceTier
from chatlib.types.moderation import Moderation
from chatlib.types.text import text_of


@json_object
class FunctionCall(JsonObject):
    """The call of a function in the deprecated form, at most one per message."""

    _json_text = "arguments"

    arguments: str
    """JSON text, as the model wrote it: not necessarily valid."""
    name: str


@json_object
class Function(JsonObject):
    """Which function a tool call calls, and with what."""

    _json_text = "arguments"

    arguments: str
    """JSON text, as the model wrote it: not necessarily valid."""
    name: str


@json_object
class Custom(JsonObject):
    """Which custom tool a tool call calls, and with what."""

    _json_text = "input"

    input: str
    """Free text, in the format that the tool asks for."""
    name: str


@json_object
class ChatCompletionMessageFunctionToolCall(JsonObject):
    """The model's wish to have a function called."""

    id: str
    """What the tool message with the answer gives as ``tool_call_id``."""
    function: Function
    type: Literal["function"] = "function"


@json_object
class ChatCompletionMessageCustomToolCall(JsonObject):
    """The model's wish to have a custom (free-text) tool called."""

    id: str
    """What the tool message with the answer gives as ``tool_call_id``."""
    custom: Custom
    type: Literal["custom"] = "custom"


ChatCompletionMessageToolCall: TypeAlias = ChatCompletionMessageFunctionToolCall
ChatCompletionMessageToolCallUnion: TypeAlias = (
    ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall
)


@json_object
class AnnotationURLCitation(JsonObject):
    """A web page that a span of the message's content rests on."""

    end_index: int
    start_index: int
    title: str
    url: str


@json_object
class Annotation(JsonObject):
    """A remark on the message's content: a citation, when the model has searched the web."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: AnnotationURLCitation


@json_object
class ChatCompletionAudio(JsonObject):
    """The answer as sound."""

    id: str
    """What a later assistant message gives as ``audio`` to refer to this answer."""
    data: str
    """The sound, base64-encoded, in the format that was asked for."""
    expires_at: int
    """Until when (Unix seconds) the id can be referred to."""
    transcript: str


@json_object
class PromptCacheBreakpoint(JsonObject):
    """The mark of a content part up to which the prompt is to be cached."""

    mode: Literal["explicit"] = "explicit"
    ttl: Literal["30m", "12h"] | str | None = None


@json_object
class ImageURL(JsonObject):
    """Where an image is: a web address or a ``data:`` URL."""

    url: str
    detail: ImageDetail | None = None
    """How closely the model is to look."""


@json_object
class ChatCompletionMessage(JsonObject):
    """What the model said. It can be sent back as it is, as a message of the next call."""

    content: str | None = None
    """The answer; some servers send a list of parts, and :attr:`text` understands both."""
    refusal: str | None = None
    """The words in which the model declined."""
    role: Literal["assistant"] = "assistant"
    annotations: list[Annotation] | None = None
    audio: ChatCompletionAudio | None = None
    function_call: FunctionCall | None = None
    """Deprecated by the API; ``tool_calls`` has taken its place."""
    tool_calls: list[ChatCompletionMessageToolCallUnion] | None = None

    @property
    def text(self) -> str:
        """The text of ``content``, ``""`` where there is none."""
        return text_of(self.content)


@json_object
class TopLogprob(JsonObject):
    """A token that could have stood in a place, and how likely it was."""

    token: str
    bytes: list[int] | None = None
    """The token in UTF-8; a character can spread over several tokens."""
    logprob: float


@json_object
class ChatCompletionTokenLogprob(JsonObject):
    """A token of the answer, how likely it was, and the likeliest others."""

    token: str
    bytes: list[int] | None = None
    """The token in UTF-8; a character can spread over several tokens."""
    logprob: float
    top_logprobs: list[TopLogprob]


@json_object
class ChoiceLogprobs(JsonObject):
    """The log-probabilities of an answer, token by token."""

    content: list[ChatCompletionTokenLogprob] | None = None
    refusal: list[ChatCompletionTokenLogprob] | None = None


Logprobs: TypeAlias = ChoiceLogprobs


@json_object
class Choice(JsonObject):
    """One of the ``n`` answers of a completion."""

    finish_reason: FinishReason | None
    """Why the model stopped; None where the server did not say."""
    index: int
    logprobs: ChoiceLogprobs | None = None
    message: ChatCompletionMessage


@json_object
class CompletionTokensDetails(JsonObject):
    """What the tokens of the answer were spent on."""

    accepted_prediction_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None
    rejected_prediction_tokens: int | None = None
    text_tokens: int | None = None


@json_object
class PromptTokensDetails(JsonObject):
    """What the tokens of the prompt were, and how many of them came from the cache."""

    audio_tokens: int | None = None
    cache_write_tokens: int | None = None
    cached_tokens: int | None = None
    image_tokens: int | None = None
    text_tokens: int | None = None


@json_object
class CompletionUsage(JsonObject):
    """How many tokens a call has cost."""

    completion_tokens: int
    prompt_tokens: int
    total_tokens: int
    completion_tokens_details: CompletionTokensDetails | None = None
    prompt_tokens_details: PromptTokensDetails | None = None


@json_object
class ChatCompletion(JsonObject):
    """The whole answer to one call."""

    id: str
    choices: list[Choice]
    """One answer, or as many as ``n`` asked for."""
    created: int
    """When (Unix seconds)."""
    model: str
    """The model that answered, often more exact than the name that was asked for."""
    object: Literal["chat.completion"] = "chat.completion"
    metadata: dict[str, str] | None = None
    """What the caller attached to a stored completion."""
    moderation: Moderation | None = None
    service_tier: ServiceTier | None = None
    system_fingerprint: str | None = None
    """The state of the server: with the same ``seed`` and fingerprint, answers are alike."""
    usage: CompletionUsage | None = None

    @property
    def text(self) -> str:
        """The text of the first choice, ``""`` where there is none."""
        message = message_of(self)
        return message.text if message is not None else ""


def message_of(completion: ChatCompletion) -> ChatCompletionMessage | None:
    """Return the message of a completion's first choice; None where there is none, or no object."""
    choices = completion.choices
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.message if isinstance(choice, Choice) else None
    return message if isinstance(message, ChatCompletionMessage) else None
