"""Routes of pages: what goes wrong is told as a page, with the same one line and status as elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from automl_kd.core import UserError
from automl_kd.service.callers import CALLER
from automl_kd.service.pages.page import page
from automl_kd.service.problems import ProblemError, status_of


class PageRoute(APIRoute):
    """A route that answers with a page in any case."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except ProblemError as error:
                return _told(request, error.status, error.detail, error.headers)
            except UserError as error:
                return _told(request, status_of(error), str(error))
            except RequestValidationError:
                return _told(request, 404, "there is nothing at this address")

        return answered


def page_router() -> APIRouter:
    """A router of pages; they are no part of the API's document."""
    return APIRouter(prefix="/ui", route_class=PageRoute, include_in_schema=False, default_response_class=Response)


def _told(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    title = HTTPStatus(status).phrase
    answer = page("problem.html", request.scope[CALLER], status, title=title, detail=detail)
    answer.headers.update(headers or {})
    return answer
