"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.tool_call import ChatCompletionMessageToolCallParam
from chatlib.types.tool_call import FunctionParam as Function

__all__ = ["ChatCompletionMessageToolCallParam", "Function"]
