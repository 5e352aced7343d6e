"""From bytes on the network to a file that searches may name: what the API's route and the page's form share."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterable
from pathlib import Path
from tempfile import TemporaryDirectory

from automl_kd.core import size
from automl_kd.service.bounds import too_large
from automl_kd.service.context import Service, in_thread
from automl_kd.service.problems import ProblemError
from automl_kd.service.uploads import UnacceptableUploadError, keep_upload
from automl_kd.service.views import UploadView
from automl_kd.storage import Upload

_UNPACK_SECONDS = 600.0
_OWNER = 20
"""Times the largest upload that all of an owner's may take."""


async def taken_in(
    service: Service, owner: str, content: AsyncIterable[bytes], name: str, sha256: str | None = None
) -> UploadView:
    """Keep what somebody sends under its hash; an archive is unpacked, nothing is run or unpickled.

    Args:
        service: What routes share.
        owner: Whose it will be.
        content: The file as it arrives.
        name: What its sender calls it.
        sha256: Hash that it must have.

    Raises:
        UserError: If it is damaged, may hold code or pickled objects, or takes more than may be kept.
        ProblemError: If it is too large, has another hash, or takes too long to unpack.
    """
    folder, most = service.uploads_of(owner), service.settings.max_upload_bytes
    await in_thread(lambda: folder.mkdir(parents=True, exist_ok=True))
    with TemporaryDirectory(dir=folder, prefix=".sending-") as place:
        sent, found, arrived = Path(place, "sent"), hashlib.sha256(), 0
        with sent.open("wb") as file:
            async for part in content:
                arrived += len(part)
                if arrived > most:
                    raise ProblemError(413, too_large(most))
                found.update(part)
                await in_thread(file.write, part)
        if sha256 is not None and found.hexdigest() != sha256:
            raise ProblemError(
                422, f"the file has the hash {found.hexdigest()}, not {sha256}: it was damaged on its way"
            )
        return await _keep(service, owner, sent, name, found.hexdigest())


async def sent_by(service: Service, owner: str) -> list[UploadView]:
    """What somebody sent, newest first."""
    return [_view(each) for each in await in_thread(service.uploads.of, owner)]


async def dropped(service: Service, owner: str, sha256: str) -> None:
    """Delete something that somebody sent; searches that named it keep what they have read.

    Raises:
        ProblemError: With status 404 if that one sent none of that hash.
    """
    if sha256 not in await in_thread(service.uploads.hashes, owner):
        raise ProblemError(404, f"upload {sha256[:64]}: you sent none of that hash")
    await in_thread(service.uploads.remove, owner, sha256)
    await in_thread(shutil.rmtree, service.uploads_of(owner) / sha256, True)


async def _keep(service: Service, owner: str, sent: Path, name: str, sha256: str) -> UploadView:
    folder, most = service.uploads_of(owner) / sha256, service.settings.max_upload_bytes
    if await in_thread(service.uploads.bytes_of, owner) + sent.stat().st_size > _OWNER * most:
        raise UnacceptableUploadError(f"what you sent takes {size(_OWNER * most)}, the most that is kept; delete some")
    taken = await service.receiving.call(keep_upload, sent, name, folder, most, seconds=_UNPACK_SECONDS)
    await in_thread(service.uploads.add, owner, sha256, name, taken)
    return next(each for each in await sent_by(service, owner) if each.sha256 == sha256)


def _view(upload: Upload) -> UploadView:
    return UploadView(sha256=upload.sha256, name=upload.name, bytes=upload.bytes, created=upload.created)
