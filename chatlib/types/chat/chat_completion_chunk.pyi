# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionChunk as ChatCompletionChunk
from chatlib.types import ChatCompletionTokenLogprob as ChatCompletionTokenLogprob
from chatlib.types import ChunkChoice as _Choice
Choice = _Choice
from chatlib.types import ChoiceDelta as ChoiceDelta
from chatlib.types import ChoiceDeltaAudio as ChoiceDeltaAudio
from chatlib.types import ChoiceDeltaFunctionCall as ChoiceDeltaFunctionCall
from chatlib.types import ChoiceDeltaToolCall as ChoiceDeltaToolCall
from chatlib.types import ChoiceDeltaToolCallFunction as ChoiceDeltaToolCallFunction
from chatlib.types import ChunkChoiceLogprobs as _ChoiceLogprobs
ChoiceLogprobs = _ChoiceLogprobs
from chatlib.types import CompletionUsage as CompletionUsage
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
