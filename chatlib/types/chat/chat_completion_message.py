"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.message import Annotation, AnnotationURLCitation, ChatCompletionMessage
from chatlib.types.tool_call import FunctionCall

__all__ = ["Annotation", "AnnotationURLCitation", "ChatCompletionMessage", "FunctionCall"]
