"""What a picture file says before it is decoded for networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import UnidentifiedImageError

from automl_kd.core import sha256_of
from automl_kd.pictures.decode import deep_range, depth_of, is_deep
from automl_kd.pictures.formats import ERRORS, hint, opened


class Header(NamedTuple):
    """A file that was looked at.

    Attributes:
        sha256: Of its bytes.
        width: In pixels, before the picture is turned upright.
        height: Likewise.
        depth: The type of its values: ``uint8``, ``uint16``.
        format: As Pillow calls it: ``JPEG``.
        low: Of a picture of more than 8 bit the smallest value; 0 of others.
        high: The largest, likewise.
        error: Why it cannot be read; None where it can.
    """

    sha256: str
    width: int = 0
    height: int = 0
    depth: str = "uint8"
    format: str = ""
    low: float = 0.0
    high: float = 0.0
    error: str | None = None

    @property
    def shorter(self) -> int:
        """The side of the square in its middle."""
        return min(self.width, self.height)


def header_of(file: str) -> Header:
    """Look at a file; one that is damaged is told, not raised."""
    try:
        sha256 = sha256_of(Path(file))
    except OSError as error:
        return Header("", error=f"it cannot be opened: {error.strerror}")
    try:
        with opened(file) as image:
            depth = depth_of(image)
            low, high = deep_range(image) if is_deep(depth) else (0.0, 0.0)
            return Header(sha256, image.width, image.height, depth.name, str(image.format), low, high)
    except ERRORS as error:
        return Header(sha256, error=damage(file, error))


def headers_of(files: Sequence[str]) -> list[list[Any]]:
    """The headers of some files as plain data, from which ``Header(*row)`` makes them again."""
    return [list(header_of(file)) for file in files]


def damage(file: str, error: BaseException) -> str:
    """Why a file is no picture, in words of one line."""
    reason = "it is of no known format" if isinstance(error, UnidentifiedImageError) else str(error)
    return " ".join((reason or type(error).__name__).split()) + hint(file)
