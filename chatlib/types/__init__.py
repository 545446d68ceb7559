"""The objects of the API: what comes back, and what is sent.

Each noun has a module, in which its forms stand side by side, and whose ``__all__`` is exported
here:

- the class of the object in a response, a slotted attrs class
  (:class:`~chatlib.types.base.JsonObject`);
- the dict form for requests, a TypedDict, whose name ends in ``Param`` as a rule;
- for objects that people build by hand, the value for requests (:mod:`chatlib.types.values`);
- the union of all that the library takes, whose name ends in ``Like``.
"""

import importlib
from typing import TYPE_CHECKING

from chatlib.types.audio import *
from chatlib.types.base import JsonObject as JsonObject
from chatlib.types.base import UnknownObject as UnknownObject
from chatlib.types.completion import *
from chatlib.types.content_part import *
from chatlib.types.literals import *
from chatlib.types.logprobs import *
from chatlib.types.message import *
from chatlib.types.moderation import *
from chatlib.types.older import *
from chatlib.types.params import *
from chatlib.types.prediction import *
from chatlib.types.prompt_cache import *
from chatlib.types.response_format import *
from chatlib.types.stored import *
from chatlib.types.stream_options import *
from chatlib.types.text import text_of as text_of
from chatlib.types.tool import *
from chatlib.types.tool_call import *
from chatlib.types.tool_choice import *
from chatlib.types.usage import *
from chatlib.types.web_search import *

if TYPE_CHECKING:
    from chatlib.types.chunk import *
    from chatlib.types.events import *
    from chatlib.types.model import *
    from chatlib.types.parsed import *

else:  # hidden from type checkers, for which a name that is not imported here is an error
    _LATER = ("chunk", "events", "model", "parsed")
    """The modules that a plain call does not need; making a class takes a third of a ms."""

    def __getattr__(name):
        held = globals()
        if "ParsedChoice" in held or (name.startswith("_") and name != "__all__"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        for later in _LATER:
            module = importlib.import_module(f"chatlib.types.{later}")
            held.update({each: getattr(module, each) for each in module.__all__})
        held["__all__"] = sorted(
            each
            for each, value in held.items()
            if not each.startswith("_")
            and each != "TYPE_CHECKING"
            and not isinstance(value, type(importlib))
        )
        if name in held:
            return held[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
