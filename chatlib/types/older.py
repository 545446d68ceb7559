"""Older names of dict forms, from when each had a value beside it."""

from __future__ import annotations

from typing import TypeAlias

from chatlib.types.audio import Audio
from chatlib.types.content_part import FileFile, InputAudio
from chatlib.types.moderation import (
    ModerationPolicy,
    ModerationPolicyInput,
    ModerationPolicyOutput,
)
from chatlib.types.tool import (
    ChatCompletionCustomToolParamCustom,
    CustomFormatGrammar,
    CustomFormatGrammarGrammar,
    CustomFormatText,
)
from chatlib.types.tool_choice import (
    ChatCompletionAllowedToolsParam,
    ChatCompletionNamedToolChoiceCustomParamCustom,
    FunctionChoice,
)
from chatlib.types.web_search import (
    WebSearchOptionsUserLocation,
    WebSearchOptionsUserLocationApproximate,
)

__all__ = [
    "AllowedToolsLike",
    "ApproximateLike",
    "AudioLike",
    "CustomChoiceLike",
    "CustomDefinitionLike",
    "CustomFormatLike",
    "FileLike",
    "FunctionChoiceLike",
    "GrammarLike",
    "InputAudioLike",
    "ModerationPolicyInputLike",
    "ModerationPolicyLike",
    "ModerationPolicyOutputLike",
    "UserLocationLike",
]

AllowedToolsLike: TypeAlias = ChatCompletionAllowedToolsParam
ApproximateLike: TypeAlias = WebSearchOptionsUserLocationApproximate
AudioLike: TypeAlias = Audio
CustomChoiceLike: TypeAlias = ChatCompletionNamedToolChoiceCustomParamCustom
CustomDefinitionLike: TypeAlias = ChatCompletionCustomToolParamCustom
CustomFormatLike: TypeAlias = CustomFormatText | CustomFormatGrammar
FileLike: TypeAlias = FileFile
FunctionChoiceLike: TypeAlias = FunctionChoice
GrammarLike: TypeAlias = CustomFormatGrammarGrammar
InputAudioLike: TypeAlias = InputAudio
ModerationPolicyInputLike: TypeAlias = ModerationPolicyInput
ModerationPolicyLike: TypeAlias = ModerationPolicy
ModerationPolicyOutputLike: TypeAlias = ModerationPolicyOutput
UserLocationLike: TypeAlias = WebSearchOptionsUserLocation
