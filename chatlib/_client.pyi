# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.client.async_openai import AsyncOpenAI as _AsyncClient
AsyncClient = _AsyncClient
from chatlib.client.async_openai import AsyncOpenAI as AsyncOpenAI
from chatlib.client.openai import OpenAI as _Client
Client = _Client
from chatlib.client.openai import OpenAI as OpenAI
