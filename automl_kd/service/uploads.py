"""Files that somebody sent: kept by their hash, unpacked within bounds, never run and never unpickled."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from automl_kd.core import UserError, size

_MOST_FILES = 200_000
_UNPACKED = 10
"""Times its own size that an archive may unpack to."""
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
            _unpack(sent, draft, _UNPACKED * most_bytes)
        else:
            _refuse_kind(plain)
            shutil.copyfile(sent, draft / plain)
        taken = sum(each.stat().st_size for each in draft.rglob("*") if each.is_file())
        if not folder.exists():
            draft.replace(folder)
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
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise UnacceptableUploadError(f"the archive cannot be unpacked: {error}") from None


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, left: int, most: int) -> int:
    """Unpack one file, counting what really comes out of it. Returns its bytes."""
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename or not path.parts:
        raise UnacceptableUploadError(f"the archive holds {member.filename!r}, which leads out of its folder")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnacceptableUploadError(f"the archive holds {member.filename!r}, which is a link or no plain file")
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
                raise UnacceptableUploadError(f"the archive unpacks to more than {size(most)}, which is the most taken")
            file.write(part)
    return written


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
