"""Chunks: read from an event stream, joined to a completion, told as events. No I/O."""
