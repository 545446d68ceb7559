"""The client of the module: ``chatlib.api_key = ...; chatlib.chat.completions.create(...)``.

Its settings are variables of the package, read at each use. A program with more than one thread or
key makes its own client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatlib.client.openai import AzureOpenAI, OpenAI

SETTINGS = (
    "api_key",
    "organization",
    "project",
    "base_url",
    "timeout",
    "max_retries",
    "default_headers",
    "default_query",
    "http_client",
)
AZURE_SETTINGS = ("azure_endpoint", "azure_ad_token", "azure_ad_token_provider", "api_version")

_made: list[tuple[dict[str, Any], OpenAI]] = []


def client_of(module: Mapping[str, Any]) -> OpenAI:
    """Return the client for the settings that a module has now.

    Args:
        module: The variables of the module; ``api_type = "azure"`` makes an Azure client.
    """
    names: tuple[str, ...] = SETTINGS
    is_azure = module.get("api_type") in ("azure", "azure_ad", "azuread")
    if is_azure:
        names += AZURE_SETTINGS
    settings = {name: module[name] for name in names if module.get(name) is not None}
    if not _made or _made[0][0] != {**settings, "azure": is_azure}:
        made = AzureOpenAI(**settings) if is_azure else OpenAI(**settings)
        _made[:] = [({**settings, "azure": is_azure}, made)]
    return _made[0][1]
