"""How an image becomes a network's input, as Python that needs NumPy and Pillow alone."""

from __future__ import annotations

from automl_kd.pictures import FORMATS
from automl_kd.tasks.reading import Found

_NORMALIZED = """\
    mean = np.array({mean}, np.float32).reshape(-1, 1, 1)
    std = np.array({std}, np.float32).reshape(-1, 1, 1)
    return {{"{name}": ((unit - mean) / std)[None]}}
"""
_PICTURE = """\
import io

import numpy as np
from PIL import Image, ImageOps

FORMATS = "{formats}".split()


def prepare(example):
    \"\"\"The network's input for one picture: a file, its bytes, or what Pillow has opened.\"\"\"
    if not isinstance(example, Image.Image):
        content = example if isinstance(example, bytes) else open(example, "rb").read()
        example = Image.open(io.BytesIO(content), formats=FORMATS)
{deep}    picture = ImageOps.exif_transpose(example)
    told = "transparency" in picture.info and picture.mode in ("1", "L", "P", "RGB")
    if told or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        colours = picture.convert("RGBA")
        if colours.getchannel("A").getextrema()[0] < 255:
            picture = Image.new("RGB", picture.size, {background})
            picture.paste(colours.convert("RGB"), mask=colours.getchannel("A"))
    picture = ImageOps.fit(picture.convert("{mode}"), ({kept_width}, {kept_height}), Image.Resampling.BILINEAR)
    values = np.asarray(picture).reshape({kept_height}, {kept_width}, {channels}).transpose(2, 0, 1)
    return normalized(values)


def normalized(values):
    \"\"\"Values from 0 to 255, channels first, as the network takes them.\"\"\"
{scaled}    unit = values.astype(np.float32) / np.float32(255)
"""
_NOT_DEEP = """\
    if example.mode[0] in "IF":
        raise ValueError("it holds more than 8 bit a value; the student has learned from pictures of 8 bit")
"""
_DEEP = """\
    if example.mode[0] in "IF":
        return normalized(deep(example))
"""
_OF_DEPTH = """\


def deep(picture):
    \"\"\"Values from 0 to 255 of a picture of more than 8 bit, by the rule of its type.\"\"\"
    kind, tags = "uint16", getattr(picture, "tag_v2", {{}})
    if picture.mode == "F":
        kind = "float32"
    elif picture.mode == "I" and picture.format != "PPM":
        sign = {{1: "uint", 2: "int"}}.get(tags.get(339, (2,))[0], "int")
        kind = f"{{sign}}{{tags.get(258, (32,))[0]}}"
    rules = {rules}
    if kind not in rules:
        raise ValueError(f"it holds {{kind}}; the student has learned from {{', '.join(rules)}}")
    stored = np.asarray(ImageOps.exif_transpose(picture))
    stored = stored.view(np.uint32) if kind == "uint32" and picture.mode == "I" else stored
    plane = Image.fromarray(stored.astype(np.float32))
    plane = np.asarray(ImageOps.fit(plane, ({kept_width}, {kept_height}), Image.Resampling.BILINEAR))
    black, white = rules[kind]
    if (black, white) != (0, 255):
        plane = ((plane.astype(np.float64) - black) * (255 / (white - black))).astype(np.float32)
    return np.repeat(plane[None], {channels}, axis=0)
"""
_ARRAY = """\
import numpy as np


def prepare(example):
    \"\"\"The network's input for one image, {layout}: {said}.\"\"\"
    values = np.asarray(example).reshape({channels}, {kept_height}, {kept_width})
"""
_SCALED = "    values = scaled(scaled({values}, {width}, 2), {height}, 1)\n"
_SCALING = """\


def scaled(values, size, axis):
    \"\"\"Values at another size along an axis, bilinear with antialiasing; bytes in integers, as in training.\"\"\"
    stored = values.shape[axis]
    reach = max(1.0, stored / size)
    centres, place = (np.arange(size)[:, None] + 0.5) * (stored / size), np.arange(stored)
    near = (place >= (centres - reach + 0.5).astype(int)) & (place < (centres + reach + 0.5).astype(int))
    weights = near * np.maximum(0, 1 - np.abs(place - centres + 0.5) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.moveaxis(values, axis, -1)
    if values.dtype == np.uint8:
        bits = next((bits for bits in range(22) if int(0.5 + weights.max() * 2 ** (bits + 1)) >= 2**15), 22)
        whole = np.floor(weights * 2**bits + 0.5).astype(np.int64)
        rows = np.clip((rows.astype(np.int64) @ whole.T + 2 ** (bits - 1)) >> bits, 0, 255).astype(np.uint8)
    else:
        rows = rows @ weights.T.astype(values.dtype)
    return np.moveaxis(rows, -1, axis)
"""


def code_for_pictures(
    name: str,
    shape: tuple[int, int, int],
    kept_size: tuple[int, int],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    found: Found,
) -> str:
    """The function for picture files.

    Args:
        name: Of the network's input.
        shape: Channels, height, width.
        kept_size: Height and width in which the task keeps pictures, before they come to those of a network.
        mean: By channel, of values in [0, 1].
        std: In the same units.
        found: What the kind of data says of pictures of more than 8 bit, and of what is seen behind transparent parts.
    """
    sizes = _sizes(shape, kept_size)
    code = _PICTURE.format(
        formats=" ".join(FORMATS),
        deep=_DEEP if found.deep else _NOT_DEEP,
        background='"white"' if found.background == (255, 255, 255) else found.background,
        mode="RGB" if shape[0] == 3 else "L",
        # Of pictures some of which have more than 8 bit all are kept as floats.
        scaled=_scaled("values.astype(np.float32)" if found.deep else "values", shape, kept_size),
        **sizes,
    )
    code += _NORMALIZED.format(mean=list(mean), std=list(std), name=name)
    if found.deep:
        code += _OF_DEPTH.format(rules=dict(found.deep), **sizes)
    return code + ("" if kept_size == shape[1:] else _SCALING)


def code_for_arrays(
    name: str,
    shape: tuple[int, int, int],
    kept_size: tuple[int, int],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    found: Found,
    of_bytes: bool,
) -> str:
    """The function for arrays of values as they were stored, or in [0, 1] where these had no one rule.

    Args:
        name: Of the network's input.
        shape: Channels, height, width.
        kept_size: Height and width of the arrays.
        mean: By channel, of values in [0, 1].
        std: In the same units.
        found: What the kind of data says of stored values.
        of_bytes: Whether the task keeps bytes, which are scaled as such.
    """
    (low, high), (height, width) = found.span or (0.0, 1.0), kept_size
    code = _ARRAY.format(
        layout=f"{height}x{width}" if shape[0] == 1 else f"{shape[0]}x{height}x{width}",
        said=found.pixels if found.span else f"values in [0, 1], made of stored ones so: {found.pixels}",
        **_sizes(shape, kept_size),
    )
    if of_bytes:
        code += _scaled("np.rint(values).astype(np.uint8)", shape, kept_size)
    code += f"    unit = ((values - np.float64({low!r})) / np.float64({high - low!r})).astype(np.float32)\n"
    if not of_bytes:
        code += _scaled("unit", shape, kept_size).replace("values =", "unit =")
    code += _NORMALIZED.format(mean=list(mean), std=list(std), name=name)
    return code + ("" if kept_size == shape[1:] else _SCALING)


def _sizes(shape: tuple[int, int, int], kept_size: tuple[int, int]) -> dict[str, int]:
    names = ("channels", "height", "width", "kept_height", "kept_width")
    return dict(zip(names, (*shape, *kept_size), strict=True))


def _scaled(values: str, shape: tuple[int, int, int], kept_size: tuple[int, int]) -> str:
    return "" if kept_size == shape[1:] else _SCALED.format(values=values, height=shape[1], width=shape[2])
