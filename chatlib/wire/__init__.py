"""Bytes and values: requests to bytes, responses and event streams to plain values. No I/O."""
