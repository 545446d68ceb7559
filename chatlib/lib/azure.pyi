# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.config import KeyFunction as _AsyncAzureADTokenProvider
AsyncAzureADTokenProvider = _AsyncAzureADTokenProvider
from chatlib.client.async_openai import AsyncAzureOpenAI as AsyncAzureOpenAI
from chatlib.config import KeyFunction as _AzureADTokenProvider
AzureADTokenProvider = _AzureADTokenProvider
from chatlib.client.openai import AzureOpenAI as AzureOpenAI
from chatlib.client.base import AzureClient as _BaseAzureClient
BaseAzureClient = _BaseAzureClient
from chatlib.errors import OpenAIError as _MutuallyExclusiveAuthError
MutuallyExclusiveAuthError = _MutuallyExclusiveAuthError
