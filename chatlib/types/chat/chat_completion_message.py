"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.completion import (
    Annotation,
    AnnotationURLCitation,
    ChatCompletionMessage,
    FunctionCall,
)

__all__ = ["Annotation", "AnnotationURLCitation", "ChatCompletionMessage", "FunctionCall"]
