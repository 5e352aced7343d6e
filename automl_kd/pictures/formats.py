"""Which files are pictures: by their ending where it is a common one, by their content otherwise."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from PIL import Image

# Formats that Pillow decodes by itself; it would hand some others to programs outside.
FORMATS = (
    *("AVIF", "BMP", "DDS", "DIB", "FITS", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000"),
    *("PCX", "PNG", "PPM", "PSD", "QOI", "SGI", "SUN", "TIFF", "WEBP"),
)
"""What files are opened as, whatever their endings."""
ENDINGS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
    | {".avif", ".jfif", ".jp2", ".jpe", ".pbm", ".pnm"}
)
"""Of files that should be pictures."""
_UNREAD = frozenset(
    {".heic", ".heif", ".hif", ".jxl", ".svg", ".eps", ".exr", ".hdr", ".tga", ".xcf", ".dcm", ".dicom", ".nii"}
    | {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2", ".raw", ".npy", ".mp4", ".mov", ".avi"}
)
ERRORS = (OSError, ValueError, SyntaxError, TypeError, EOFError, Image.DecompressionBombError)
"""What Pillow raises for a file that it cannot read."""

UNREAD = "a picture in a format that is not read"


@contextmanager
def opened(file: str) -> Iterator[Image.Image]:
    """A picture whose header is read, whatever the file's ending; the library's own warnings are kept from the screen.

    Raises:
        OSError, ValueError, SyntaxError, TypeError, EOFError, DecompressionBombError: If the file is damaged or none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # From a stream: what Pillow maps from a path it does not turn upright (uncompressed TIFF).
        with (
            Path(file).open("rb") as stream,
            Image.open(stream, formats=FORMATS) as image,
            _without_stderr() if image.format == "TIFF" else nullcontext(),
        ):
            yield image


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Standard error closed for C code: libtiff writes there what Pillow raises as an error as well."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def reason_to_leave_out(file: str, size: int) -> str | None:
    """Why a file is not read, None where it is a picture, or should be one by its ending.

    Args:
        file: Its path.
        size: Its bytes.
    """
    ending = os.path.splitext(file)[1].lower()
    if size == 0:
        return "empty"
    if ending in ENDINGS or _is_picture(file):
        return None
    return f"{UNREAD}: {ending}" if ending in _UNREAD else f"no image: {ending or 'no ending'}"


def hint(file: str) -> str:
    """More about a file that should be a picture and cannot be read, where its first bytes tell."""
    with Path(file).open("rb") as stream:
        head = stream.read(64).lstrip()
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return "; it holds HEIC, which is not read: convert it"
    if head[:5].lower() in (b"<!doc", b"<html", b"<?xml"):
        return "; it holds a web page or XML, as a download that went wrong"
    return "; it is a pointer of Git LFS: fetch the data" if head.startswith(b"version https://git-lfs") else ""


def _is_picture(file: str) -> bool:
    try:
        with opened(file):
            return True
    except ERRORS:
        return False
