"""Files and folders on their way to other machines, in parts, because a data set may be larger than the memory."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from automl_kd.core import UserError

_PART_BYTES = 1_000_000


class UnreadableError(UserError):
    """A file that was to be sent cannot be read, or changed while it was read."""


class Archive:
    """A file or a folder as a tar archive in parts, whose bytes depend on names and contents alone.

    Args:
        place: The file or folder; its name is kept, because readers tell formats apart by the suffix.
    """

    def __init__(self, place: Path) -> None:
        self._place = place

    @cached_property
    def sha256(self) -> str:
        """Hash of the archive.

        Raises:
            UnreadableError: If a file cannot be read.
        """
        whole = hashlib.sha256()
        for part in self:
            whole.update(part)
        return whole.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        place = self._place
        try:
            for file in [place, *sorted(_below(place, (place.resolve(),)))] if place.is_dir() else [place]:
                entry = tarfile.TarInfo(str(Path(place.name, file.relative_to(place))))
                if file.is_dir():
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    yield entry.tobuf()
                else:
                    entry.size = file.stat().st_size
                    yield entry.tobuf()
                    yield from _padded(file, entry.size)
        except OSError as error:
            raise UnreadableError(f"{place}: cannot be read to be sent to other machines: {error}") from None
        yield bytes(2 * tarfile.BLOCKSIZE)


def _below(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Folders and files at any depth. Links are followed, except those that lead nowhere or back to where they lie."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield entry
            real = entry.resolve()
            if not any(each.is_relative_to(real) for each in above):
                yield from _below(entry, (*above, real))
        elif entry.is_file():
            yield entry


def unpack_archive(folder: Path, sha256: str, parts: Iterable[bytes]) -> None:
    """Unpack an archive so that its folder appears whole or not at all.

    Args:
        folder: The folder to make; it does not exist yet.
        sha256: Hash of the archive.
        parts: The archive, in parts.

    Raises:
        OSError: If there is no room.
        UserError: If the archive is not what its hash says.
    """
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
    reader = _HashingReader(parts)
    try:
        with tarfile.open(fileobj=reader, mode="r|") as tar:
            tar.extractall(draft, filter="data")
        while reader.read(_PART_BYTES):
            pass  # what follows the archive's end is hashed, too
        if reader.hash.hexdigest() != sha256:
            raise UserError(_damaged(sha256))
        draft.replace(folder)
    except tarfile.TarError:
        raise UserError(_damaged(sha256)) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _damaged(sha256: str) -> str:
    return f"archive {sha256[:12]} was damaged on its way"


def _padded(file: Path, size: int) -> Iterator[bytes]:
    """A file's content, padded to whole blocks of a tar archive."""
    left = size
    with file.open("rb") as content:
        while left and (part := content.read(min(left, _PART_BYTES))):
            left -= len(part)
            yield part
    if left:
        raise OSError(f"{file.name} became shorter")
    yield bytes(-size % tarfile.BLOCKSIZE)


class _HashingReader(io.RawIOBase):
    """Parts as a file that is read once from begin to end, with the hash of what was read."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._held = memoryview(b"")
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        while not self._held and (part := next(self._parts, None)) is not None:
            self._held = memoryview(part)
        end = len(self._held) if size < 0 else size
        given, self._held = self._held[:end], self._held[end:]
        self.hash.update(given)
        return bytes(given)
