"""Errors as problem documents (RFC 9457), with the one line that the command line would print."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from automl_kd.core import UserError
from automl_kd.storage import DatabaseFailedError, NameTakenError, QueueFullError, StudyBusyError, WrongStateError

_STATUS: tuple[tuple[type[UserError], int], ...] = (
    (NameTakenError, 409),
    (WrongStateError, 409),
    (StudyBusyError, 409),
    (QueueFullError, 429),
    (DatabaseFailedError, 503),
    (UserError, 422),
)


class Problem(BaseModel):
    """What was wrong with a request."""

    type: str = Field("about:blank", description="Nothing beyond the status.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The status.")
    detail: str = Field(description="What was wrong, where, and what would be right, in one line.")


class ProblemError(Exception):
    """Ends a request with a problem document.

    Args:
        status: HTTP status.
        detail: What was wrong, in one line.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)
        self.detail = detail
        self.status = status
        self.headers = headers or {}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem document as an answer."""
    document = document_of(status, detail)
    return JSONResponse(document, status, media_type="application/problem+json", headers=headers or {})


def document_of(status: int, detail: str) -> dict[str, Any]:
    """A problem document."""
    line = " ".join(detail.split()).encode(errors="replace").decode()  # half a character came in, none goes out
    found: dict[str, Any] = Problem(title=HTTPStatus(status).phrase, status=status, detail=line).model_dump()
    return found


def status_of(error: UserError) -> int:
    """The HTTP status of a user's mistake."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def tell_problems(app: FastAPI) -> None:
    """Have an application answer every error by a problem document."""
    app.add_exception_handler(ProblemError, _problem_error)
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _problem_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return problem(error.status, error.detail, error.headers)


def _user_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UserError)
    if isinstance(error, DatabaseFailedError):  # what it is called and where it lies is the operator's
        print(f"automl-kd: {error}", file=sys.stderr, flush=True)
        return problem(503, "the database does not answer; try again in a moment", {"Retry-After": "5"})
    return problem(status_of(error), str(error))


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = "there is nothing at this address" if error.status_code == 404 else str(error.detail)
    return problem(error.status_code, detail, dict(error.headers or {}))


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = dict(error.errors()[0])
    if first["type"] == "json_invalid":
        return problem(400, f"the body is no JSON: {first.get('ctx', {}).get('error', first['msg'])}")
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    return problem(422, f"{place or 'body'}: {first['msg'][:1].lower()}{first['msg'][1:]}")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for status in (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503, 504)
}
"""What any route may answer besides what it is for."""
