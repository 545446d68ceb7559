"""Structured output: JSON schemas of types, decoding, parsed completions and tools."""
