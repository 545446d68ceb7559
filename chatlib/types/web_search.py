"""Options of the web search."""

from typing import Literal

from typing_extensions import NotRequired, TypedDict

__all__ = [
    "WebSearchOptions",
    "WebSearchOptionsUserLocation",
    "WebSearchOptionsUserLocationApproximate",
]


class WebSearchOptionsUserLocationApproximate(TypedDict):
    """An approximate location."""

    city: NotRequired[str]
    country: NotRequired[str]
    region: NotRequired[str]
    timezone: NotRequired[str]


class WebSearchOptionsUserLocation(TypedDict):
    """The location of the user, for answers that depend on it."""

    approximate: WebSearchOptionsUserLocationApproximate
    type: Literal["approximate"]


class WebSearchOptions(TypedDict):
    """How to search the web."""

    search_context_size: NotRequired[Literal["low", "medium", "high"]]
    user_location: NotRequired[WebSearchOptionsUserLocation | None]
