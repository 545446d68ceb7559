"""Prompt caching: breakpoints in content parts, and the options of a call."""

from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.types.base import JsonObject
from chatlib.types.decoding import json_object
from chatlib.types.literals import CacheTTL

__all__ = [
    "FilePromptCacheBreakpoint",
    "FilePromptCacheBreakpointLike",
    "PromptCacheBreakpoint",
    "PromptCacheBreakpointLike",
    "PromptCacheBreakpointParam",
    "PromptCacheOptions",
]


@json_object
class PromptCacheBreakpoint(JsonObject):
    """The end of the part of the prompt that is cached: a mark of a content part."""

    mode: Literal["explicit"] = "explicit"
    ttl: CacheTTL | None = None


class PromptCacheBreakpointParam(TypedDict):
    """Dict form of :class:`PromptCacheBreakpoint`."""

    mode: Literal["explicit"]
    ttl: NotRequired[Literal["30m", "12h"] | None]


class FilePromptCacheBreakpoint(TypedDict):
    """Dict form of :class:`PromptCacheBreakpoint` for file parts."""

    mode: Literal["explicit"]
    ttl: NotRequired[Literal["30m", "12h"]]


PromptCacheBreakpointLike: TypeAlias = PromptCacheBreakpointParam | PromptCacheBreakpoint
FilePromptCacheBreakpointLike: TypeAlias = FilePromptCacheBreakpoint | PromptCacheBreakpoint


class PromptCacheOptions(TypedDict):
    """How the prompt is cached: up to explicit breakpoints, or as the server decides."""

    mode: NotRequired[Literal["implicit", "explicit"]]
    ttl: NotRequired[Literal["30m"]]
