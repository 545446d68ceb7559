"""The version of the library, alone in a module so that packaging can read it."""

__title__ = "chatlib"
__version__ = "0.1.0"
