"""Write the stubs of the module paths of the official package, for type checkers.

The table is in ``chatlib/official_paths.py``. ``--check`` writes nothing, and fails if a stub
differs from the table.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import chatlib  # noqa: E402
from chatlib.official_paths import PATHS, home_of, names_of  # noqa: E402

HEADER = "# Written by scripts/write_stubs.py from chatlib/official_paths.py.\n"
WHOLE = {
    "types/chat/__init__.pyi": "from chatlib.types import *\nfrom chatlib.types.events import *\n"
}
"""The stub of a package that has all names of another."""


def module_of(name: str) -> str:
    """Return the module in which a name of the library is defined, for a direct import."""
    home = home_of(name)
    if home != "chatlib":
        return home
    return f"chatlib.{chatlib._HOME_OF[name]}"


def _alias(origin: str, name: str) -> str:
    return name if origin == name else f"_{name}"


def stubs() -> dict[str, str]:
    """Return the text of each stub by its path below ``chatlib``."""
    made = {path: HEADER + text for path, text in WHOLE.items()}
    for path in PATHS:
        is_package = (ROOT / "chatlib" / path.replace(".", "/")).is_dir()
        file = path.replace(".", "/") + ("/__init__.pyi" if is_package else ".pyi")
        lines = []
        for name, own in sorted(names_of(path).items(), key=lambda pair: pair[0].lower()):
            origin = chatlib._OWN_NAMES.get(own, own)
            lines.append(f"from {module_of(own)} import {origin} as {_alias(origin, name)}\n")
            if origin != name:  # an import under another name is private in a stub
                lines.append(f"{name} = {_alias(origin, name)}\n")
        if is_package:
            inner = {
                other.removeprefix(f"{path}.").partition(".")[0]
                for other in PATHS
                if other.startswith(f"{path}.")
            }
            lines += [f"from chatlib.{path} import {name} as {name}\n" for name in sorted(inner)]
        made[file] = HEADER + "".join(lines)
    inner = sorted(path.rpartition(".")[2] for path in PATHS if path.startswith("types.chat."))
    made["types/chat/__init__.pyi"] += "".join(
        f"from chatlib.types.chat import {name} as {name}\n" for name in inner
    )
    return made


def main() -> int:
    """Write or check the stubs; return the exit status."""
    parser = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[__name__]))
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wrong = []
    texts = stubs()
    for file, text in texts.items():
        path = ROOT / "chatlib" / file
        if path.exists() and path.read_text() == text:
            continue
        wrong.append(file)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for path in (ROOT / "chatlib").rglob("*.pyi"):
        file = path.relative_to(ROOT / "chatlib").as_posix()
        if file not in texts:
            wrong.append(file)
            if not check:
                path.unlink()
    for file in wrong:
        print(f"{'differs' if check else 'written'}: {file}")
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
