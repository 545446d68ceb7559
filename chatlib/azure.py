"""Configuration of clients for an Azure OpenAI resource: endpoint, deployment, API version, tokens.

The URLs are those of https://learn.microsoft.com/azure/ai-services/openai/reference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import attrs

from chatlib.config import (
    Config,
    KeyFunction,
    KeyLike,
    Secret,
    as_key,
    checked_base_url,
    hide_secrets,
    hides_secrets,
    path_segment,
    variable,
)
from chatlib.errors import OpenAIError
from chatlib.headers import redact_url
from chatlib.http import is_omitted
from chatlib.redaction import concealed, concealed_url, private_frames

if TYPE_CHECKING:
    from typing_extensions import Self


@hides_secrets
@attrs.frozen(kw_only=True, repr=False)
class AzureConfig(Config):
    """Client configuration for an Azure OpenAI resource, like :class:`Config`.

    Requests go to
    ``{base_url}/deployments/{deployment or model}/chat/completions?api-version=...``
    (https://learn.microsoft.com/azure/ai-services/openai/reference).

    Args:
        deployment: The deployment; by default the one with the name of the model.
        is_token: Whether ``api_key`` is a Microsoft Entra ID token and not a key of the resource.
    """

    deployment: str | None = None
    is_token: bool = False

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """Return the headers with the key or the token.

        Args:
            key: The API key or the token.
        """
        return super().credentials(key) if self.is_token else {"api-key": key.reveal()}

    def path(self, path: str, model: object) -> str:
        """Return the path of an operation; if it creates something, with the deployment.

        Args:
            path: The path in the OpenAI API, such as ``/chat/completions``.
            model: The model of a request that creates something; otherwise None.
        """
        if model is None or "/deployments" in urlsplit(self.base_url).path:
            return path
        return f"/deployments/{path_segment(self.deployment or str(model), 'the deployment')}{path}"

    def changed(
        self,
        *,
        api_version: str | None = None,
        azure_endpoint: str | None = None,
        azure_deployment: str | None = None,
        azure_ad_token: str | Secret | None = None,
        azure_ad_token_provider: KeyFunction | None = None,
        **fields: Any,
    ) -> Self:
        """Return a copy with some settings changed, named as in :func:`azure_config_from_env`.

        Args:
            api_version: The API version.
            azure_endpoint: The endpoint.
            azure_deployment: The deployment.
            azure_ad_token: A Microsoft Entra ID token.
            azure_ad_token_provider: A function that returns a token.
            fields: Other settings, as for :meth:`Config.changed`.

        Returns:
            The copy.

        Raises:
            OpenAIError: A setting is invalid, or there is more than one credential.
        """
        azure_ad_token = azure_ad_token and cast("Secret", as_key(azure_ad_token))
        azure_endpoint = azure_endpoint and concealed_url(azure_endpoint)
        hide_secrets(fields)
        name = (
            "set_default_query" if fields.get("set_default_query") is not None else "default_query"
        )
        if azure_endpoint is not None:
            fields["base_url"], deployment = _split_azure_endpoint(azure_endpoint)
            azure_deployment = azure_deployment or deployment
        query = fields.get(name) or {}
        version = (
            api_version
            or query.get("api-version")
            or _api_version_of(fields.get("base_url"))
            or self.default_query.get("api-version")
        )
        if version is not None:
            fields[name] = {**query, "api-version": version}
        credentials = [azure_ad_token, azure_ad_token_provider, fields.get("api_key")]
        given = [at for at, value in enumerate(credentials) if value is not None]
        if len(given) > 1:
            raise OpenAIError(
                "Of api_key, azure_ad_token and azure_ad_token_provider only one can be given."
            )
        if given:
            fields |= {"api_key": credentials[given[0]], "is_token": given[0] < 2}
        return super().changed(deployment=azure_deployment, **fields)

    def with_key_from(self, environ: Mapping[str, str]) -> Self:
        """Return a copy with the token or the key from the environment.

        Args:
            environ: The environment variables.

        Raises:
            OpenAIError: Both are missing, or one is invalid.
        """
        names = {"AZURE_OPENAI_AD_TOKEN": True, "AZURE_OPENAI_API_KEY": False}
        try:
            for name, is_token in names.items():
                key = Secret(variable(environ, name) or "")
                if key:
                    return attrs.evolve(self, api_key=key, is_token=is_token)
        finally:
            del environ
        raise OpenAIError(
            "There are no credentials. Set the environment variable AZURE_OPENAI_API_KEY or "
            "AZURE_OPENAI_AD_TOKEN, or pass api_key=, azure_ad_token= or "
            "azure_ad_token_provider= to the client."
        )


def azure_config_from_env(
    environ: Mapping[str, str] | None = None,
    *,
    azure_endpoint: str | None = None,
    azure_deployment: str | None = None,
    api_version: str | None = None,
    api_key: KeyLike | None = None,
    azure_ad_token: str | Secret | None = None,
    azure_ad_token_provider: KeyFunction | None = None,
    base_url: str | None = None,
    default_query: Mapping[str, object] | None = None,
    **settings: Any,
) -> AzureConfig:
    """Return an :class:`AzureConfig` from arguments and, for missing ones, environment variables.

    The variables are ``AZURE_OPENAI_ENDPOINT``, ``OPENAI_API_VERSION`` and, without credentials,
    ``AZURE_OPENAI_AD_TOKEN`` and ``AZURE_OPENAI_API_KEY``.

    Args:
        environ: The environment variables; by default :data:`os.environ`.
        azure_endpoint: The endpoint of the resource, such as ``https://name.openai.azure.com``, or
            the target URI that the portal shows; its deployment and API version are used if no
            others are given.
        azure_deployment: The deployment; by default the one with the name of the model.
        api_version: The API version, such as ``2024-10-21``.
        api_key: A key of the resource, or a function that returns it.
        azure_ad_token: A Microsoft Entra ID token, which takes precedence over a key.
        azure_ad_token_provider: A function that returns a token, called for each attempt.
        base_url: The base URL in place of the endpoint: everything before ``/chat/completions`` or
            ``/deployments``.
        default_query: As for :class:`Config`.
        settings: Other settings, as for :func:`config_from_env`.

    Returns:
        The configuration.

    Raises:
        OpenAIError: The endpoint, the API version or the credentials are missing or invalid.
        ValueError: Both ``base_url`` and ``azure_endpoint`` are given.
    """
    environ = os.environ if environ is None else environ
    base_url = base_url and concealed_url(base_url)
    azure_endpoint = azure_endpoint and concealed_url(azure_endpoint)
    default_query = concealed(default_query)
    hide_secrets(settings)
    try:
        if base_url is not None and azure_endpoint is not None:
            raise ValueError("base_url and azure_endpoint can't both be given")
        endpoint = azure_endpoint or concealed_url(variable(environ, "AZURE_OPENAI_ENDPOINT") or "")
        if base_url is None and not endpoint:
            raise OpenAIError(
                "There is no endpoint. Set the environment variable AZURE_OPENAI_ENDPOINT, or pass "
                "azure_endpoint= or base_url= to the client."
            )
        version = (
            api_version
            or (default_query or {}).get("api-version")
            or _api_version_of(base_url if base_url is not None else azure_endpoint)
            or variable(environ, "OPENAI_API_VERSION")
            or _api_version_of(endpoint)
        )
        if not version:
            raise OpenAIError(
                "There is no API version. Set the environment variable OPENAI_API_VERSION, or pass "
                "api_version= to the client, such as 2024-10-21."
            )
        address, deployment = (
            (base_url, None) if base_url is not None else _split_azure_endpoint(endpoint)
        )
        made = AzureConfig(
            base_url=address,
            deployment=azure_deployment or deployment,
            default_query={**(default_query or {}), "api-version": version},
            organization=settings.pop("organization", None) or variable(environ, "OPENAI_ORG_ID"),
            project=settings.pop("project", None) or variable(environ, "OPENAI_PROJECT_ID"),
            **{name: value for name, value in settings.items() if not is_omitted(value)},
        )
        made = made.changed(
            api_key=api_key,
            azure_ad_token=azure_ad_token,
            azure_ad_token_provider=azure_ad_token_provider,
        )
        return made.with_key_from(environ) if made.api_key is None else made
    finally:
        del api_key, azure_ad_token, environ  # keep it out of tracebacks with local variables


_AZURE_HOST = re.compile(r".+\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)")


def _split_azure_endpoint(endpoint: str) -> tuple[str, str | None]:
    """Return the base URL of an Azure endpoint, and the deployment if it contains one.

    The endpoint is the address of a resource or of a gateway; or the target URI of a deployment,
    with or without the operation.
    """
    with private_frames():
        parts = urlsplit(checked_base_url(endpoint, "azure_endpoint"))
    root, _, deployment = parts.path.rstrip("/").partition("/openai/deployments/")
    is_azure = _AZURE_HOST.fullmatch(parts.hostname or "") is not None
    if "/" in deployment or (is_azure and root not in ("", "/openai")):
        del parts  # keep it out of tracebacks with local variables
        raise OpenAIError(
            f"azure_endpoint is {redact_url(endpoint)!r}; it must be the address of the resource, "
            "such as https://name.openai.azure.com, or the target URI of its chat completions. "
            "(An address with /openai/v1 is one for OpenAI(base_url=...), without api_version.)"
        )
    root = "" if is_azure else root
    base_url = concealed_url(urlunsplit(parts._replace(path=f"{root}/openai")))
    return base_url, unquote(deployment) or None


def _api_version_of(url: str | None) -> str | None:
    """Return the API version in the query of a URL."""
    return dict(parse_qsl((url or "").strip().partition("?")[2])).get("api-version")
