"""The objects that some parameters of a call take, as plain dicts: response formats and options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.types.messages import TextPartLike

if TYPE_CHECKING:
    from chatlib.types import values

# Response formats


class ResponseFormatText(TypedDict):
    """Answer in text, as usual."""

    type: Literal["text"]


class ResponseFormatJSONObject(TypedDict):
    """Answer with some JSON object. The older way: a schema is better."""

    type: Literal["json_object"]


class JSONSchema(TypedDict):
    """A JSON schema and its name. ``strict`` makes the model keep to it exactly."""

    name: str
    description: NotRequired[str]
    schema: NotRequired[Mapping[str, object]]
    strict: NotRequired[bool | None]


class ResponseFormatJSONSchema(TypedDict):
    """Answer with JSON that follows a schema."""

    json_schema: JSONSchemaLike
    type: Literal["json_schema"]


ResponseFormat: TypeAlias = ResponseFormatText | ResponseFormatJSONSchema | ResponseFormatJSONObject

# Options


class VoiceID(TypedDict):
    """A custom voice, by its id."""

    id: str


class ChatCompletionAudioParam(TypedDict):
    """How the answer is to sound."""

    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]
    voice: Voice


class ChatCompletionPredictionContentParam(TypedDict):
    """What most of the answer will be, which makes it come faster."""

    content: str | Iterable[TextPartLike]
    type: Literal["content"]


class ChatCompletionStreamOptionsParam(TypedDict):
    """What a stream carries besides the answer: padding, and a last chunk with the usage."""

    include_obfuscation: NotRequired[bool]
    include_usage: NotRequired[bool]


class PromptCacheOptions(TypedDict):
    """How the prompt is cached: by breakpoints of the caller's, or as the server sees fit."""

    mode: NotRequired[Literal["implicit", "explicit"]]
    ttl: NotRequired[Literal["30m"]]


class ModerationPolicyInput(TypedDict):
    """Whether a flagged prompt is blocked or only scored."""

    mode: Literal["score", "block"]


class ModerationPolicyOutput(TypedDict):
    """Whether a flagged answer is blocked or only scored."""

    mode: Literal["score", "block"]


class ModerationPolicy(TypedDict):
    """What happens to flagged content."""

    input: NotRequired[ModerationPolicyInputLike | None]
    output: NotRequired[ModerationPolicyOutputLike | None]


class CompletionCreateParamsModeration(TypedDict):
    """The model that moderates prompt and answer, and what it may do."""

    model: str
    policy: NotRequired[ModerationPolicyLike | None]


class WebSearchOptionsUserLocationApproximate(TypedDict):
    """Roughly where the user is."""

    city: NotRequired[str]
    country: NotRequired[str]
    region: NotRequired[str]
    timezone: NotRequired[str]


class WebSearchOptionsUserLocation(TypedDict):
    """Where the user is, for answers that depend on it."""

    approximate: ApproximateLike
    type: Literal["approximate"]


class WebSearchOptions(TypedDict):
    """How to search the web."""

    search_context_size: NotRequired[Literal["low", "medium", "high"]]
    user_location: NotRequired[UserLocationLike | None]


VoiceName: TypeAlias = (
    Literal[
        "alloy",
        "ash",
        "ballad",
        "coral",
        "echo",
        "sage",
        "shimmer",
        "verse",
        "marin",
        "cedar",
    ]
    | str
)

# Dict or value; the dicts alone at run time, as in ``messages``.

if TYPE_CHECKING:
    JSONSchemaLike: TypeAlias = JSONSchema | values.JSONSchema
    ResponseFormatLike: TypeAlias = (
        ResponseFormat
        | values.ResponseFormatText
        | values.ResponseFormatJSONSchema
        | values.ResponseFormatJSONObject
        | Mapping[str, object]
    )
    Voice: TypeAlias = VoiceName | VoiceID | values.VoiceID
    ModerationPolicyInputLike: TypeAlias = ModerationPolicyInput | values.ModerationPolicyInput
    ModerationPolicyOutputLike: TypeAlias = ModerationPolicyOutput | values.ModerationPolicyOutput
    ModerationPolicyLike: TypeAlias = ModerationPolicy | values.ModerationPolicy
    ApproximateLike: TypeAlias = (
        WebSearchOptionsUserLocationApproximate | values.WebSearchOptionsUserLocationApproximate
    )
    UserLocationLike: TypeAlias = WebSearchOptionsUserLocation | values.WebSearchOptionsUserLocation
else:
    JSONSchemaLike = JSONSchema
    ResponseFormatLike = ResponseFormat | Mapping[str, object]
    Voice = VoiceName | VoiceID
    ModerationPolicyInputLike = ModerationPolicyInput
    ModerationPolicyOutputLike = ModerationPolicyOutput
    ModerationPolicyLike = ModerationPolicy
    ApproximateLike = WebSearchOptionsUserLocationApproximate
    UserLocationLike = WebSearchOptionsUserLocation
