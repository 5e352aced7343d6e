"""How an image becomes a network's input, as Python that needs NumPy and Pillow alone."""

from __future__ import annotations

from automl_kd.tasks.reading import Found

_NORMALIZED = """\
    mean = np.array({mean}, np.float32).reshape(-1, 1, 1)
    std = np.array({std}, np.float32).reshape(-1, 1, 1)
    return {{"{name}": ((unit - mean) / std)[None]}}
"""
_PICTURE = """\
import numpy as np
from PIL import Image, ImageOps


def prepare(example):
    \"\"\"The network's input for one picture: a file, or what Pillow has opened.\"\"\"
    picture = ImageOps.exif_transpose(example if isinstance(example, Image.Image) else Image.open(example))
    if picture.has_transparency_data:
        seen = Image.new("RGB", picture.size, "white")
        seen.paste(picture.convert("RGB"), mask=picture.convert("RGBA").getchannel("A"))
        picture = seen
    picture = ImageOps.fit(picture.convert("{mode}"), ({width}, {height}), Image.Resampling.BILINEAR)
    unit = np.asarray(picture, np.float32).reshape({height}, {width}, {channels}).transpose(2, 0, 1) / np.float32(255)
"""
_ARRAY = """\
import numpy as np


def prepare(example):
    \"\"\"The network's input for one image, {layout}: {said}.\"\"\"
    values = np.asarray(example).reshape({channels}, {height}, {width})
"""


def code_for_pictures(name: str, shape: tuple[int, int, int], mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    """The function for picture files of bytes.

    Args:
        name: Of the network's input.
        shape: Channels, height, width.
        mean: By channel, of values in [0, 1].
        std: In the same units.
    """
    channels, height, width = shape
    mode = "RGB" if channels == 3 else "L"
    end = _NORMALIZED.format(mean=list(mean), std=list(std), name=name)
    return _PICTURE.format(mode=mode, width=width, height=height, channels=channels) + end


def code_for_arrays(
    name: str, shape: tuple[int, int, int], mean: tuple[float, ...], std: tuple[float, ...], found: Found
) -> str:
    """The function for arrays of values as they were stored, or in [0, 1] where these had no one rule.

    Args:
        name: Of the network's input.
        shape: Channels, height, width.
        mean: By channel, of values in [0, 1].
        std: In the same units.
        found: What the kind of data says of stored values.
    """
    channels, height, width = shape
    low, high = found.span or (0.0, 1.0)
    said = found.pixels if found.span else f"values in [0, 1], made of stored ones so: {found.pixels}"
    start = _ARRAY.format(
        layout=f"{height}x{width}" if channels == 1 else f"{channels}x{height}x{width}",
        said=said,
        channels=channels,
        height=height,
        width=width,
    )
    unit = f"    unit = ((values - np.float64({low!r})) / np.float64({high - low!r})).astype(np.float32)\n"
    return start + unit + _NORMALIZED.format(mean=list(mean), std=list(std), name=name)
