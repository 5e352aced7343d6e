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
        seen = Image.new("RGB", picture.size, {background})
        seen.paste(picture.convert("RGB"), mask=picture.convert("RGBA").getchannel("A"))
        picture = seen
    picture = ImageOps.fit(picture.convert("{mode}"), ({kept_width}, {kept_height}), Image.Resampling.BILINEAR)
{scaled}    values = np.asarray(picture, np.float32).reshape({height}, {width}, {channels})
    unit = values.transpose(2, 0, 1) / np.float32(255)
"""
_ARRAY = """\
import numpy as np
{imported}

def prepare(example):
    \"\"\"The network's input for one image, {layout}: {said}.\"\"\"
    values = np.asarray(example).reshape({channels}, {kept_height}, {kept_width})
"""
_SCALED_PICTURE = """\
    picture = picture.resize(({width}, {height}), Image.Resampling.BILINEAR)  # as in training, within 1 of 255
"""
_SCALED_ARRAY = """\
    planes = (Image.fromarray(plane).resize(({width}, {height}), Image.Resampling.BILINEAR) for plane in unit)
    unit = np.stack([np.asarray(plane) for plane in planes])
"""


def code_for_pictures(
    name: str,
    shape: tuple[int, int, int],
    kept_size: tuple[int, int],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    background: tuple[int, int, int],
) -> str:
    """The function for picture files of bytes.

    Args:
        name: Of the network's input.
        shape: Channels, height, width.
        kept_size: Height and width in which the task keeps pictures, before they come to those of a network.
        mean: By channel, of values in [0, 1].
        std: In the same units.
        background: The colour that is seen behind transparent parts.
    """
    start = _PICTURE.format(
        mode="RGB" if shape[0] == 3 else "L",
        background='"white"' if background == (255, 255, 255) else background,
        scaled=_scaled(_SCALED_PICTURE, shape, kept_size),
        **_sizes(shape, kept_size),
    )
    return start + _NORMALIZED.format(mean=list(mean), std=list(std), name=name)


def code_for_arrays(
    name: str,
    shape: tuple[int, int, int],
    kept_size: tuple[int, int],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    found: Found,
) -> str:
    """The function for arrays of values as they were stored, or in [0, 1] where these had no one rule.

    Args:
        name: Of the network's input.
        shape: Channels, height, width.
        kept_size: Height and width of the arrays.
        mean: By channel, of values in [0, 1].
        std: In the same units.
        found: What the kind of data says of stored values.
    """
    sizes, (height, width) = _sizes(shape, kept_size), kept_size
    low, high = found.span or (0.0, 1.0)
    scaled = _scaled(_SCALED_ARRAY, shape, kept_size)
    start = _ARRAY.format(
        layout=f"{height}x{width}" if shape[0] == 1 else f"{shape[0]}x{height}x{width}",
        said=found.pixels if found.span else f"values in [0, 1], made of stored ones so: {found.pixels}",
        imported="from PIL import Image\n" if scaled else "",
        **sizes,
    )
    unit = f"    unit = ((values - np.float64({low!r})) / np.float64({high - low!r})).astype(np.float32)\n"
    return start + unit + scaled + _NORMALIZED.format(mean=list(mean), std=list(std), name=name)


def _sizes(shape: tuple[int, int, int], kept_size: tuple[int, int]) -> dict[str, int]:
    names = ("channels", "height", "width", "kept_height", "kept_width")
    return dict(zip(names, (*shape, *kept_size), strict=True))


def _scaled(code: str, shape: tuple[int, int, int], kept_size: tuple[int, int]) -> str:
    return "" if kept_size == shape[1:] else code.format(**_sizes(shape, kept_size))
