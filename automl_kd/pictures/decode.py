"""One picture from its file: upright, cropped to a square, scaled; in bytes, or with the whole depth of its values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

_BITS, _SAMPLE_FORMAT = 258, 339  # tags of TIFF
_UNSIGNED, _SIGNED = 1, 2


def depth_of(image: Image.Image) -> np.dtype[Any]:
    """The type of an opened picture's values; uint8 where Pillow reads bytes."""
    if image.mode.startswith("I;16"):
        return np.dtype(np.uint16)
    if image.mode == "F":
        return np.dtype(np.float32)
    if image.mode != "I":
        return np.dtype(np.uint8)
    if image.format == "PPM":
        return np.dtype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS, (32,))[0]
    kind = {_UNSIGNED: "u", _SIGNED: "i"}.get(tags.get(_SAMPLE_FORMAT, (_SIGNED,))[0], "i")
    return np.dtype(f"{kind}{bits // 8}")


def cut_to_bytes(image: Image.Image) -> bool:
    """Whether a picture that is not decoded yet holds 16 bit a channel, of which Pillow reads the upper 8."""
    return depth_of(image) == np.uint8 and any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def is_deep(depth: np.dtype[Any]) -> bool:
    """Whether a picture's values do not fit into bytes."""
    return depth != np.uint8


def read_bytes(
    image: Image.Image, size: int, channels: int, background: tuple[int, int, int]
) -> tuple[NDArray[np.uint8], float, float]:
    """A picture of bytes as (C, size, size), with its smallest and largest value; the background is seen through it."""
    upright = _on(background, ImageOps.exif_transpose(image)).convert("RGB" if channels == 3 else "L")
    values = np.asarray(upright)
    fitted = ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(fitted, np.uint8).reshape(size, size, channels).transpose(2, 0, 1)
    return pixels, float(values.min()), float(values.max())


def is_transparent(image: Image.Image) -> bool:
    """Whether a decoded picture has parts that one sees through."""
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return bool(np.asarray(image.convert("RGBA").getchannel("A")).min() < 255)
    return (
        "transparency" in image.info and image.mode in ("1", "L", "P", "RGB") and is_transparent(image.convert("RGBA"))
    )


def _on(background: tuple[int, int, int], image: Image.Image) -> Image.Image:
    if not is_transparent(image):
        return image
    colours = image.convert("RGBA")
    seen = Image.new("RGB", image.size, background)
    seen.paste(colours.convert("RGB"), mask=colours.getchannel("A"))
    return seen


def deep_range(image: Image.Image) -> tuple[float, float]:
    """The smallest and the largest stored value of a picture of more than 8 bit.

    Raises:
        ValueError: If a value is not finite.
    """
    values = _deep(image)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite((low, high)).all():
        raise ValueError("it holds values that are not finite")
    return low, high


def read_deep(image: Image.Image, size: int) -> NDArray[np.float32]:
    """A grey picture of more than 8 bit as (size, size), of stored values."""
    plane = Image.fromarray(_deep(image).astype(np.float32))
    return np.asarray(ImageOps.fit(plane, (size, size), Image.Resampling.BILINEAR))


def _deep(image: Image.Image) -> NDArray[Any]:
    # What is read does not say any more how its values were stored.
    unsigned = image.mode == "I" and depth_of(image) == np.uint32
    values = np.asarray(ImageOps.exif_transpose(image))
    return values.view(np.uint32) if unsigned else values
