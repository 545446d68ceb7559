# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.client.async_completions import AsyncBeta as AsyncBeta
from chatlib.client.completions import Beta as Beta
