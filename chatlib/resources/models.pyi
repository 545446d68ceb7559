# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.client.models import AsyncModels as AsyncModels
from chatlib.client.models import Models as Models
