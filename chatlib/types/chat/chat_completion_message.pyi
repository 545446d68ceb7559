# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import Annotation as Annotation
from chatlib.types import AnnotationURLCitation as AnnotationURLCitation
from chatlib.types import ChatCompletionAudio as ChatCompletionAudio
from chatlib.types import ChatCompletionMessage as ChatCompletionMessage
from chatlib.types import ChatCompletionMessageToolCallUnion as ChatCompletionMessageToolCallUnion
from chatlib.types import FunctionCall as FunctionCall
