"""The client of the module: ``chatlib.api_key = ...; chatlib.chat.completions.create(...)``.

Its settings are variables of the package, read at each use. A program with more than one thread or
key makes its own client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatlib.client.openai import AzureOpenAI, OpenAI
from chatlib.client.settings import AzureSettings, ClientSettings

_made: list[tuple[dict[str, Any], OpenAI]] = []


def client_of(module: Mapping[str, Any]) -> OpenAI:
    """Return the client for the settings that a module has now.

    Args:
        module: The variables of the module; ``api_type = "azure"`` makes an Azure client.
    """
    is_azure = module.get("api_type") in ("azure", "azure_ad", "azuread")
    cls, known = (AzureOpenAI, AzureSettings) if is_azure else (OpenAI, ClientSettings)
    names = known.__annotations__
    settings = {name: module[name] for name in names if module.get(name) is not None}
    if not _made or (type(_made[0][1]), _made[0][0]) != (cls, settings):
        _made[:] = [(settings, cls(**settings))]
    return _made[0][1]
