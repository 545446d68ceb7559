"""Moderation of prompt and answer: the results, and the options of a call."""

from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.types.base import JsonObject
from chatlib.types.decoding import json_object
from chatlib.types.literals import InputType

__all__ = [
    "CompletionCreateParamsModeration",
    "Moderation",
    "ModerationInputError",
    "ModerationInputModerationResults",
    "ModerationInputModerationResultsResult",
    "ModerationInputUnion",
    "ModerationOutputError",
    "ModerationOutputModerationResults",
    "ModerationOutputModerationResultsResult",
    "ModerationOutputUnion",
    "ModerationPolicy",
    "ModerationPolicyInput",
    "ModerationPolicyOutput",
]

# Results


@json_object
class ModerationInputModerationResultsResult(JsonObject):
    """The moderation result of one piece of the prompt, by category."""

    categories: dict[str, bool]
    category_applied_input_types: dict[str, list[InputType]]
    category_scores: dict[str, float]
    flagged: bool
    """Whether any category is true."""
    model: str
    type: Literal["moderation_result"] = "moderation_result"


@json_object
class ModerationInputModerationResults(JsonObject):
    """The moderation results of the prompt."""

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
    """The moderation result of one piece of the answer, by category."""

    categories: dict[str, bool]
    category_applied_input_types: dict[str, list[InputType]]
    category_scores: dict[str, float]
    flagged: bool
    """Whether any category is true."""
    model: str
    type: Literal["moderation_result"] = "moderation_result"


@json_object
class ModerationOutputModerationResults(JsonObject):
    """The moderation results of the answer."""

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
    """The moderation results of prompt and answer, when the call asked for them."""

    input: ModerationInputUnion
    output: ModerationOutputUnion


# Options


class ModerationPolicyInput(TypedDict):
    """Whether a flagged prompt is blocked or only scored."""

    mode: Literal["score", "block"]


class ModerationPolicyOutput(TypedDict):
    """Whether a flagged answer is blocked or only scored."""

    mode: Literal["score", "block"]


class ModerationPolicy(TypedDict):
    """What is done with flagged content."""

    input: NotRequired[ModerationPolicyInput | None]
    output: NotRequired[ModerationPolicyOutput | None]


class CompletionCreateParamsModeration(TypedDict):
    """The moderation model and its policy."""

    model: str
    policy: NotRequired[ModerationPolicy | None]
