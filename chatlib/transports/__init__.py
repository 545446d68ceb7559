"""Who carries a request to a server: the only rooms of the library that open sockets.

:class:`~chatlib.transports.requests.RequestsTransport` is the default,
:class:`~chatlib.transports.urllib3.Urllib3Transport` the leaner one.
:class:`~chatlib.transports.aiohttp.AiohttpTransport` is awaited, and so is any plain one in a
:class:`~chatlib.transports.threads.ThreadTransport`. Any object with ``send(request) -> response``
will do, see :class:`chatlib.http.Transport`; :mod:`chatlib.testing.contract` tests it.
"""
