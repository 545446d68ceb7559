# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.client.async_openai import AsyncAzureOpenAI as AsyncAzureOpenAI
from chatlib.client.openai import AzureOpenAI as AzureOpenAI
