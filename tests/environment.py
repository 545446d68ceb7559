"""The environment of the tests: whatever is set where they run, they see nothing of it."""

from __future__ import annotations

import os
import re

SETTINGS = re.compile(
    r"""
    (AZURE_)? OPENAI_ .*
    | CHATLIB_ (?!TEST_) .*  # a real server for tests/test_live.py is named on purpose
    | .* _PROXY
    | (REQUESTS|CURL)_CA_BUNDLE | SSL_CERT_ (FILE|DIR) | SSLKEYLOGFILE | NETRC
    | NO_COLOR | (PY_|CLICOLOR_)? (FORCE_)? COLORS? | CLICOLOR (_FORCE)? | TTY_ .* | COLUMNS | LINES
    | TERM | COLORTERM | JUPYTER_ .* | CI | BUILD_NUMBER
    | PYTHON (
        WARNINGS | WARNDEFAULTENCODING | IOENCODING | UTF8 | DEVMODE | ASYNCIODEBUG | SAFEPATH
        | INSPECT | STARTUP | VERBOSE | PROFILEIMPORTTIME | FAULTHANDLER | TRACEMALLOC
        | UNBUFFERED | NOUSERSITE | INTMAXSTRDIGITS | MALLOC | MALLOCSTATS | BREAKPOINT
    )
    | PYTEST_ (ADDOPTS | PLUGINS | THEME .*) | DISPLAY
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""The names of the variables that change what the library, its dependencies or Python do."""


def without_coverage() -> dict[str, str]:
    """Return the environment without what starts coverage, which loads modules of its own."""
    return {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}


def forget_settings() -> None:
    """Remove those variables from the environment of this process and of those that it starts."""
    for name in list(os.environ):
        if SETTINGS.fullmatch(name):
            del os.environ[name]


def share_bytecode() -> None:
    """Let the programs that tests start share their compiled modules.

    Where Python is told to write none, each of them compiles the library again, which takes twice
    as long as what they are started for.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
