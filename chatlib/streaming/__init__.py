"""Streams of chunks: decoding, accumulation into a completion, and events. No I/O."""
