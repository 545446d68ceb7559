# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ExtraBody as _Body
Body = _Body
from chatlib.types import ExtraHeaders as _Headers
Headers = _Headers
from chatlib.http import NOT_GIVEN as NOT_GIVEN
from chatlib.http import not_given as not_given
from chatlib.http import NotGiven as NotGiven
from chatlib.http import Omit as Omit
from chatlib.http import omit as omit
from chatlib.types import ExtraQuery as _Query
Query = _Query
from chatlib.http import Timeout as Timeout
