"""Files that callers send: tasks with their data, teachers, spaces."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from automl_kd.service.callers import Reader, Submitter
from automl_kd.service.context import TheService
from automl_kd.service.intake import dropped, sent_by, taken_in
from automl_kd.service.problems import PROBLEMS
from automl_kd.service.views import UploadList, UploadView

router = APIRouter(prefix="/uploads", tags=["uploads"], responses=PROBLEMS)

_HASH = re.compile(r"^[0-9a-f]{64}$")


@router.post(
    "",
    status_code=201,
    response_model=UploadView,
    summary="Send a task with its data, a teacher or a space",
    openapi_extra={
        "requestBody": {
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            "required": True,
        }
    },
)
async def send(
    service: TheService,
    caller: Submitter,
    request: Request,
    name: Annotated[str, Query(description="What the file is called, such as photos.zip or teacher.onnx.")],
    sha256: Annotated[str | None, Query(pattern=_HASH.pattern, description="Hash that it must have.")] = None,
) -> UploadView:
    """An archive (.zip) is unpacked; a search then names its files as ``upload:SHA256/my.yaml``.

    Nothing of it is run or unpickled: files that may hold code or pickled objects are refused.
    """
    return await taken_in(service, caller.token.owner, request.stream(), name, sha256)


@router.get("", response_model=UploadList, summary="What the token's owner sent")
async def uploads(service: TheService, caller: Reader) -> UploadList:
    """Newest first."""
    return UploadList(uploads=await sent_by(service, caller.token.owner))


@router.delete("/{sha256}", status_code=204, summary="Delete something that was sent")
async def remove(service: TheService, caller: Submitter, sha256: str) -> Response:
    """Searches that named it keep what they have read."""
    await dropped(service, caller.token.owner, sha256)
    return Response(status_code=204)
