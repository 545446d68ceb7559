# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.client.async_streams import AsyncStream as AsyncStream
from chatlib.wire.sse import ServerSentEvent as ServerSentEvent
from chatlib.wire.sse import SSEDecoder as SSEDecoder
from chatlib.client.streams import Stream as Stream
