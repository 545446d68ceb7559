"""Conversion between bytes and values: requests, responses and event streams. No I/O."""
