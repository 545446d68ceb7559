# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletion as ChatCompletion
from chatlib.types import ChatCompletionMessage as ChatCompletionMessage
from chatlib.types import Choice as Choice
from chatlib.types import ParsedChatCompletion as ParsedChatCompletion
from chatlib.types import ParsedChatCompletionMessage as ParsedChatCompletionMessage
from chatlib.types import ParsedChoice as ParsedChoice
from chatlib.types import ParsedFunctionToolCall as ParsedFunctionToolCall
