"""Response formats: text, JSON, and JSON that follows a schema."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.types.base import RequestObject
from chatlib.types.decoding import json_object
from chatlib.types.untyped import AnyDict

__all__ = [
    "JSONSchema",
    "JSONSchemaLike",
    "JSONSchemaValue",
    "ResponseFormat",
    "ResponseFormatJSONObject",
    "ResponseFormatJSONSchema",
    "ResponseFormatJSONSchemaValue",
    "ResponseFormatLike",
    "ResponseFormatText",
]


class ResponseFormatText(TypedDict):
    """Text, the default."""

    type: Literal["text"]


class ResponseFormatJSONObject(TypedDict):
    """Any JSON object; the older way to get JSON, without a schema."""

    type: Literal["json_object"]


@json_object
class JSONSchemaValue(RequestObject):
    """A JSON schema and its name. ``strict`` makes the model follow it exactly."""

    name: str
    description: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None


class JSONSchema(TypedDict):
    """Dict form of :class:`JSONSchemaValue`."""

    name: str
    description: NotRequired[str]
    schema: NotRequired[Mapping[str, object]]
    strict: NotRequired[bool | None]


JSONSchemaLike: TypeAlias = JSONSchema | JSONSchemaValue


@json_object
class ResponseFormatJSONSchemaValue(RequestObject):
    """JSON that follows a schema."""

    json_schema: JSONSchemaLike
    type: Literal["json_schema"] = "json_schema"


class ResponseFormatJSONSchema(TypedDict):
    """Dict form of :class:`ResponseFormatJSONSchemaValue`."""

    json_schema: JSONSchema
    type: Literal["json_schema"]


ResponseFormat: TypeAlias = ResponseFormatText | ResponseFormatJSONSchema | ResponseFormatJSONObject
ResponseFormatLike: TypeAlias = ResponseFormat | ResponseFormatJSONSchemaValue | AnyDict
