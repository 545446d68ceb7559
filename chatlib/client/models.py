"""The methods of ``client.models``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chatlib.client.executors import AsyncClient, Client
from chatlib.client.pagination import AsyncCursorPage, AsyncPaginator, SyncCursorPage, paginate
from chatlib.config import path_segment
from chatlib.http import HttpResponse
from chatlib.redaction import conceal
from chatlib.stored_operations import query_operation, read_page
from chatlib.types.base import converter, set_http
from chatlib.types.model import Model
from chatlib.types.page import CursorPage
from chatlib.wire.request import Operation
from chatlib.wire.response import raise_for_status, read_object

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from chatlib.types.params import RequestOptions


def list_models_operation(options: Mapping[str, Any]) -> Operation[CursorPage[Model]]:
    """Return the operation that lists the models.

    Args:
        options: The request options.
    """
    return query_operation("list()", "GET", "/models", options, read_models)


def retrieve_model_operation(model: str, options: Mapping[str, Any]) -> Operation[Model]:
    """Return the operation that retrieves a model.

    Args:
        model: The ID of the model.
        options: The request options.
    """
    path = f"/models/{path_segment(model, 'model')}"
    return query_operation("retrieve()", "GET", path, options, read_model)


def read_models(response: HttpResponse) -> CursorPage[Model]:
    """Decode a list of models, which is always one page."""
    page = read_page(response, Model)
    page.has_more = False
    return page


def read_model(response: HttpResponse) -> Model:
    """Decode a model."""
    raise_for_status(response)
    made = converter().structure(read_object(response), Model)
    set_http(made, response.info())
    return made


class Models:
    """The methods of ``client.models``.

    Args:
        client: The client that executes the operations.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, **options: Unpack[RequestOptions]) -> SyncCursorPage[Model]:
        """List the models that the server offers.

        Args:
            options: The request options, see :class:`~chatlib.types.RequestOptions`.

        Returns:
            A page, which iterates over all of them.

        Raises:
            APIError: As for :meth:`~chatlib.client.completions.Completions.create`.
        """
        conceal(options)
        operation = paginate(SyncCursorPage, list_models_operation(options), self._client.perform)
        return self._client.perform(operation)

    def retrieve(self, model: str, **options: Unpack[RequestOptions]) -> Model:
        """Retrieve a model.

        Args:
            model: The ID of the model.
            options: The request options, see :class:`~chatlib.types.RequestOptions`.

        Returns:
            The model.

        Raises:
            NotFoundError: There is no model with this ID.
            APIError: As for :meth:`list`.
            ValueError: The ID is empty.
        """
        conceal(options)
        return self._client.perform(retrieve_model_operation(model, options))


class AsyncModels:
    """The methods of ``client.models``, awaited; see :class:`Models`.

    Args:
        client: The client that executes the operations.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def list(self, **options: Unpack[RequestOptions]) -> AsyncPaginator[Model]:
        """List the models that the server offers; see :meth:`Models.list`.

        Args:
            options: The request options.

        Returns:
            An object to ``await`` for a page, or to iterate over with ``async for``.
        """
        conceal(options)
        perform = self._client.perform
        operation = paginate(AsyncCursorPage, list_models_operation(options), perform)
        return AsyncPaginator(lambda: perform(operation))

    async def retrieve(self, model: str, **options: Unpack[RequestOptions]) -> Model:
        """Retrieve a model; see :meth:`Models.retrieve`.

        Args:
            model: The ID of the model.
            options: The request options.

        Returns:
            The model.
        """
        conceal(options)
        return await self._client.perform(retrieve_model_operation(model, options))
