"""Transports as users give them to others, for type checkers to look at; never run."""

import ssl

import requests

from chatlib import AsyncTransport, OpenAI, Transport
from chatlib.testing import InMemoryServer
from chatlib.testing.contract.blocking import BlockingTransport
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport

plain: list[Transport] = [
    RequestsTransport(requests.Session(), verify="/etc/ssl/my-ca.pem", cert=("a.pem", "a.key")),
    Urllib3Transport(proxies={"https": "http://proxy:3128"}, trust_env=False, pool_size=10),
    Urllib3Transport(ssl_context=ssl.create_default_context()),
    InMemoryServer("Hello!"),
    BlockingTransport(AiohttpTransport()),
]
awaited: list[AsyncTransport] = [
    AiohttpTransport(verify=False, cert="both.pem"),
    *(ThreadTransport(transport, max_threads=32) for transport in plain),
]
clients: list[OpenAI] = [OpenAI(transport=transport) for transport in plain]
