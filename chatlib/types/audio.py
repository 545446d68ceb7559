"""Audio answers: what comes back, how to refer to it, and the options of a call."""

from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from chatlib.types.base import JsonObject
from chatlib.types.decoding import json_object

__all__ = [
    "Audio",
    "ChatCompletionAudio",
    "ChatCompletionAudioParam",
    "Voice",
    "VoiceID",
    "VoiceName",
]


@json_object
class ChatCompletionAudio(JsonObject):
    """An audio answer."""

    id: str
    """The id by which a later assistant message refers to this answer."""
    data: str
    """Base64-encoded audio, in the format that was asked for."""
    expires_at: int
    """When the id expires, in Unix seconds."""
    transcript: str


class Audio(TypedDict):
    """A reference to an earlier audio answer, by its id."""

    id: str


class VoiceID(TypedDict):
    """A reference to a custom voice, by its id."""

    id: str


# For completion in editors: the API takes any name.
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
Voice: TypeAlias = VoiceName | VoiceID


class ChatCompletionAudioParam(TypedDict):
    """Format and voice of an audio answer."""

    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]
    voice: Voice
