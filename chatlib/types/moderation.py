"""What a moderation model found in the prompt and in the answer of a completion."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chatlib.types.base import JsonObject, json_object


@json_object
class ModerationInputModerationResultsResult(JsonObject):
    """The findings on one piece of the prompt, category by category."""

    categories: dict[str, bool]
    category_applied_input_types: dict[str, list[Literal["text", "image"] | str]]
    category_scores: dict[str, float]
    flagged: bool
    """Whether any category is true."""
    model: str
    type: Literal["moderation_result"] = "moderation_result"


@json_object
class ModerationInputModerationResults(JsonObject):
    """The findings on the prompt."""

    model: str
    results: list[ModerationInputModerationResultsResult]
    type: Literal["moderation_results"] = "moderation_results"


@json_object
class ModerationInputError(JsonObject):
    """Why the prompt was not moderated."""

    code: str
    message: str
    type: Literal["error"] = "error"


@json_object
class ModerationOutputModerationResultsResult(JsonObject):
    """The findings on one piece of the answer, category by category."""

    categories: dict[str, bool]
    category_applied_input_types: dict[str, list[Literal["text", "image"] | str]]
    category_scores: dict[str, float]
    flagged: bool
    """Whether any category is true."""
    model: str
    type: Literal["moderation_result"] = "moderation_result"


@json_object
class ModerationOutputModerationResults(JsonObject):
    """The findings on the answer."""

    model: str
    results: list[ModerationOutputModerationResultsResult]
    type: Literal["moderation_results"] = "moderation_results"


@json_object
class ModerationOutputError(JsonObject):
    """Why the answer was not moderated."""

    code: str
    message: str
    type: Literal["error"] = "error"


ModerationInputUnion: TypeAlias = ModerationInputModerationResults | ModerationInputError
ModerationOutputUnion: TypeAlias = ModerationOutputModerationResults | ModerationOutputError


@json_object
class Moderation(JsonObject):
    """What moderation found, when the call asked for it."""

    input: ModerationInputUnion
    output: ModerationOutputUnion
