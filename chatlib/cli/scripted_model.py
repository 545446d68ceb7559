"""The scripted model of ``chatlib --demo``, which needs neither a server nor an API key."""

from __future__ import annotations

import re

from chatlib.http import HttpRequest, HttpResponse
from chatlib.testing import answer

CAPITALS = {
    "austria": "Vienna",
    "brazil": "Brasília",
    "canada": "Ottawa",
    "france": "Paris",
    "germany": "Berlin",
    "india": "New Delhi",
    "italy": "Rome",
    "japan": "Tokyo",
    "kenya": "Nairobi",
    "spain": "Madrid",
}


def answer_question(request: HttpRequest) -> HttpResponse:
    """Answer a request as the scripted model of --demo, which knows ten capitals."""
    question = str(request.json()["messages"][-1]["content"])
    country = re.search(r"capital of (\w+)", question, re.IGNORECASE)
    capital = CAPITALS.get(country[1].lower()) if country else None
    if country and capital:
        text = f"The capital of {country[1].capitalize()} is {capital}."
    else:
        text = (
            "I am a script, not a model: I know the capitals of ten countries. "
            "Set OPENAI_API_KEY, or give --base-url, to ask a real model."
        )
    return answer(text, pause=0.02)(request)
