# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionCustomToolParam as ChatCompletionCustomToolParam
from chatlib.types import ChatCompletionCustomToolParamCustom as _Custom
Custom = _Custom
from chatlib.types import CustomFormatGrammar as CustomFormatGrammar
from chatlib.types import CustomFormatGrammarGrammar as CustomFormatGrammarGrammar
from chatlib.types import CustomFormatText as CustomFormatText
