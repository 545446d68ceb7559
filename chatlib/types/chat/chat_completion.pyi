# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletion as ChatCompletion
from chatlib.types import ChatCompletionMessage as ChatCompletionMessage
from chatlib.types import ChatCompletionTokenLogprob as ChatCompletionTokenLogprob
from chatlib.types import Choice as Choice
from chatlib.types import ChoiceLogprobs as ChoiceLogprobs
from chatlib.types import CompletionUsage as CompletionUsage
from chatlib.types import Metadata as Metadata
from chatlib.types import Moderation as Moderation
from chatlib.types import ModerationInputUnion as _ModerationInput
ModerationInput = _ModerationInput
from chatlib.types import ModerationInputError as ModerationInputError
from chatlib.types import ModerationInputModerationResults as ModerationInputModerationResults
from chatlib.types import ModerationInputModerationResultsResult as ModerationInputModerationResultsResult
from chatlib.types import ModerationOutputUnion as _ModerationOutput
ModerationOutput = _ModerationOutput
from chatlib.types import ModerationOutputError as ModerationOutputError
from chatlib.types import ModerationOutputModerationResults as ModerationOutputModerationResults
from chatlib.types import ModerationOutputModerationResultsResult as ModerationOutputModerationResultsResult
