"""The readers of the library, given any bytes: see :mod:`tests.fuzz.targets`."""
