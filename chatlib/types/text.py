"""Text of message content and of tool call arguments, in each form that servers use."""

from __future__ import annotations

import json
from typing import Any, cast


def text_of(content: object) -> str:
    """Return the text of the ``content`` of a message or delta.

    Content is a string, null, or (Mistral and others) a list of typed parts, of which only those of
    type ``text`` count: a model's thinking is not its answer.
    """
    if not content:
        return ""
    if isinstance(content, str):
        return content
    parts = cast("list[dict[str, Any] | str]", content if isinstance(content, list) else [content])
    if isinstance(content, dict) and "type" not in content:
        return json_text(content)  # the JSON that was asked for, as an object
    texts = [
        part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"
    ]
    return "".join(text for text in texts if isinstance(text, str))


def json_text(value: object) -> str:
    """Return the arguments of a call as JSON text; some servers send the JSON itself.

    Text is returned as it is, None as the empty text.
    """
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
