"""Files that somebody sent: kept by their hash, unpacked within bounds, never run and never unpickled."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from automl_kd.core import UserError, first_line, size
from automl_kd.service.tables import refuse_paths_elsewhere

_MOST_FILES = 200_000
_UNPACKED = 10
"""Times the largest upload that an archive may unpack to."""
_RATIO, _SMALL = 100, 100_000_000
"""Times its own size that an archive may unpack to, once that is more than so many bytes."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compressions that take little memory, whatever an archive says."""
_PICKLED = re.compile(rb"\x80[\x02-\x05]")
"""How what Python's pickle writes begins."""
_OF_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ZIPPED = (".npz",)
"""Endings of files that are archives and are read as such."""
_PART_BYTES = 1_000_000
_PICKLES = (".pt", ".pth", ".pt2", ".ckpt", ".pkl", ".pickle", ".joblib", ".bin", ".npy")
"""Endings of files that may hold pickled objects."""
_CODE = (".py", ".pyc", ".so", ".sh")
_NAME_CHARACTERS = 255


class UnacceptableUploadError(UserError):
    """What was sent cannot be taken."""


def keep_upload(sent: Path, name: str, folder: Path, most_bytes: int) -> int:
    """Put what was sent where searches find it: an archive unpacked, any other file under its name.

    Args:
        sent: The file as it arrived.
        name: What its sender calls it.
        folder: Folder to make; it appears whole or not at all.
        most_bytes: Size that a file may have as it is sent; an archive may unpack to ten times that.

    Returns:
        Bytes that it takes.

    Raises:
        UnacceptableUploadError: If it is damaged, unpacks beyond its bounds or out of its folder, or may hold code or
            pickled objects.
    """
    plain = _plain_name(name)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
    try:
        if plain.lower().endswith(".zip"):
            _unpack(sent, draft, min(_UNPACKED * most_bytes, max(_SMALL, _RATIO * sent.stat().st_size)))
        else:
            _refuse_kind(plain)
            shutil.copyfile(sent, draft / plain)
        files = [each for each in draft.rglob("*") if each.is_file()]
        for each in files:
            _refuse_content(each, each.relative_to(draft))
        taken = sum(each.stat().st_size for each in files)
        with suppress(FileExistsError):  # sent before, or by another request in this moment
            _put(draft, folder)
        return taken
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unpack(sent: Path, folder: Path, most_bytes: int) -> None:
    try:
        with zipfile.ZipFile(sent) as archive:
            members = archive.infolist()
            if len(members) > _MOST_FILES:
                raise UnacceptableUploadError(
                    f"the archive holds {len(members)} files; at most {_MOST_FILES} are taken"
                )
            left = most_bytes
            for member in members:
                left -= _unpack_member(archive, member, folder, left, most_bytes)
    except FileExistsError as error:
        raise UnacceptableUploadError(f"the archive holds {Path(error.filename).name!r} twice") from None
    except OSError as error:  # without the path, which is of this machine
        raise UnacceptableUploadError(f"the archive cannot be unpacked: {error.strerror or error}") from None
    except UnacceptableUploadError:
        raise
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        raise UnacceptableUploadError(f"the archive cannot be unpacked: {first_line(error)}") from None


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, left: int, most: int) -> int:
    """Unpack one file, counting what really comes out of it. Returns its bytes."""
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename or not path.parts:
        raise UnacceptableUploadError(f"the archive holds {member.filename!r}, which leads out of its folder")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnacceptableUploadError(f"the archive holds {member.filename!r}, which is a link or no plain file")
    if member.compress_type not in _METHODS:
        raise UnacceptableUploadError(f"the archive holds {member.filename!r}, which is not deflated; zip -r does that")
    if member.file_size > left:
        raise _too_large(most)
    target = folder / path
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    _refuse_kind(member.filename)
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(member) as content, target.open("xb") as file:
        for part in _parts(content):
            written += len(part)
            if written > left:
                raise _too_large(most)
            file.write(part)
    return written


def _too_large(most: int) -> UnacceptableUploadError:
    return UnacceptableUploadError(f"the archive unpacks to more than {size(most)}, which is the most taken")


def _put(draft: Path, folder: Path) -> None:
    """Give a folder its name.

    Raises:
        FileExistsError: If there is one of that name.
    """
    try:
        draft.rename(folder)
    except OSError:
        if folder.is_dir():
            raise FileExistsError(folder) from None
        raise


def _parts(content: IO[bytes]) -> Iterator[bytes]:
    while part := content.read(_PART_BYTES):
        yield part


def _plain_name(name: str) -> str:
    plain = PurePosixPath(name.replace("\\", "/")).name
    if not plain or plain.startswith(".") or len(plain) > _NAME_CHARACTERS or not plain.isprintable():
        raise UnacceptableUploadError(f"name {name[:60]!r}: write the file's name, such as photos.zip or teacher.onnx")
    return plain


def _refuse_kind(name: str) -> None:
    ending = PurePosixPath(name).suffix.lower()
    if ending in _PICKLES:
        raise UnacceptableUploadError(
            f"{name}: files ending in {ending} may hold pickled objects; send .safetensors or .onnx"
        )
    if ending in _CODE:
        raise UnacceptableUploadError(f"{name}: is code; nothing that comes over the network is run")


def _refuse_content(file: Path, name: Path) -> None:
    """Refuses pickled objects under another name, and tables that name files which were not sent with them."""
    with file.open("rb") as content:
        begin = content.read(4)
    if _PICKLED.match(begin) or (begin in _OF_ZIP and file.suffix.lower() not in _ZIPPED):
        raise UnacceptableUploadError(f"{name}: may hold pickled objects; send .safetensors or .onnx, archives as .zip")
    refuse_paths_elsewhere(file, name)
