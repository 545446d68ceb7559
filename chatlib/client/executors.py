"""What executes operations, as the methods of a client see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from chatlib.client.call import Call
from chatlib.http import HttpResponse
from chatlib.wire.request import Operation

T = TypeVar("T")
R = TypeVar("R")


class Executor(Protocol):
    """Execute an operation; what it returns depends on the kind of access."""

    def __call__(self, operation: Operation[T], /) -> T:
        """Execute an operation."""
        ...


class Client(Protocol):
    """A client as its methods see it: it executes operations."""

    def perform(self, operation: Operation[T], /) -> T:
        """Execute an operation.

        Args:
            operation: The operation.

        Returns:
            The decoded response.
        """
        ...

    def perform_with(
        self, operation: Operation[Any], receive: Callable[[HttpResponse, Call[Any]], R], /
    ) -> R:
        """Execute an operation and convert the response with a function.

        Args:
            operation: The operation.
            receive: Converts a response whose body has not been read.

        Returns:
            The result of ``receive``.
        """
        ...


class AsyncExecutor(Protocol):
    """Execute an operation; what it returns depends on the kind of access."""

    def __call__(self, operation: Operation[T], /) -> Awaitable[T]:
        """Execute an operation."""
        ...


class AsyncClient(Protocol):
    """An asynchronous client as its methods see it: it executes operations."""

    async def perform(self, operation: Operation[T], /) -> T:
        """Execute an operation.

        Args:
            operation: The operation.

        Returns:
            The decoded response.
        """
        ...

    async def perform_with(
        self,
        operation: Operation[Any],
        receive: Callable[[HttpResponse, Call[Any]], Awaitable[R]],
        /,
    ) -> R:
        """Execute an operation and convert the response with a function.

        Args:
            operation: The operation.
            receive: Converts a response whose body has not been read; awaited.

        Returns:
            The result of ``receive``.
        """
        ...
