"""Files that callers send: tasks with their data, teachers, spaces."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from automl_kd.core import size
from automl_kd.service.callers import Reader, Submitter
from automl_kd.service.context import Service, TheService, in_thread
from automl_kd.service.problems import PROBLEMS, ProblemError
from automl_kd.service.uploads import UnacceptableUploadError, keep_upload
from automl_kd.service.views import UploadList, UploadView
from automl_kd.storage import Upload

router = APIRouter(prefix="/uploads", tags=["uploads"], responses=PROBLEMS)

_HASH = re.compile(r"^[0-9a-f]{64}$")
_UNPACK_SECONDS = 600.0
_OWNER = 20
"""Times the largest upload that all of an owner's may take."""


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
    folder = service.uploads_of(caller.token.owner)
    await in_thread(lambda: folder.mkdir(parents=True, exist_ok=True))
    with TemporaryDirectory(dir=folder, prefix=".sending-") as place:
        sent, found = Path(place, "sent"), hashlib.sha256()
        with sent.open("wb") as file:
            async for part in request.stream():
                found.update(part)
                await in_thread(file.write, part)
        if sha256 is not None and found.hexdigest() != sha256:
            raise ProblemError(
                422, f"the file has the hash {found.hexdigest()}, not {sha256}: it was damaged on its way"
            )
        return await _keep(service, caller.token.owner, sent, name, found.hexdigest())


@router.get("", response_model=UploadList, summary="What the token's owner sent")
async def uploads(service: TheService, caller: Reader) -> UploadList:
    """Newest first."""
    return UploadList(uploads=[_view(each) for each in await in_thread(service.uploads.of, caller.token.owner)])


@router.delete("/{sha256}", status_code=204, summary="Delete something that was sent")
async def remove(service: TheService, caller: Submitter, sha256: str) -> Response:
    """Searches that named it keep what they have read."""
    if sha256 not in await in_thread(service.uploads.hashes, caller.token.owner):
        raise ProblemError(404, f"upload {sha256[:64]}: you sent none of that hash")
    await in_thread(service.uploads.remove, caller.token.owner, sha256)
    await in_thread(shutil.rmtree, service.uploads_of(caller.token.owner) / sha256, True)
    return Response(status_code=204)


async def _keep(service: Service, owner: str, sent: Path, name: str, sha256: str) -> UploadView:
    folder, most = service.uploads_of(owner) / sha256, service.settings.max_upload_bytes
    if await in_thread(service.uploads.bytes_of, owner) + sent.stat().st_size > _OWNER * most:
        raise UnacceptableUploadError(f"what you sent takes {size(_OWNER * most)}, the most that is kept; delete some")
    taken = await service.receiving.call(keep_upload, sent, name, folder, most, seconds=_UNPACK_SECONDS)
    await in_thread(service.uploads.add, owner, sha256, name, taken)
    return next(_view(each) for each in await in_thread(service.uploads.of, owner) if each.sha256 == sha256)


def _view(upload: Upload) -> UploadView:
    return UploadView(sha256=upload.sha256, name=upload.name, bytes=upload.bytes, created=upload.created)
