"""Options of a stream."""

from typing import TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.types.base import RequestObject
from chatlib.types.decoding import json_object
from chatlib.types.untyped import AnyDict

__all__ = [
    "ChatCompletionStreamOptionsParam",
    "StreamOptions",
    "StreamOptionsLike",
]


@json_object
class StreamOptions(RequestObject):
    """What a stream includes: padding, and a last chunk with the usage."""

    include_obfuscation: bool | None = None
    include_usage: bool | None = None


class ChatCompletionStreamOptionsParam(TypedDict):
    """Dict form of :class:`StreamOptions`."""

    include_obfuscation: NotRequired[bool]
    include_usage: NotRequired[bool]


StreamOptionsLike: TypeAlias = ChatCompletionStreamOptionsParam | StreamOptions | AnyDict
