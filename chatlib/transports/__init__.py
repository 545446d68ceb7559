"""Who carries a request to a server: the only rooms of the library that open sockets.

:class:`~chatlib.transports.requests.RequestsTransport` is the default. Any object with
``send(request) -> response`` will do, see :class:`chatlib.http.Transport`.
"""
