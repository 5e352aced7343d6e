"""Which images the arguments of a program name, as Python that needs NumPy and Pillow alone."""

from __future__ import annotations

from automl_kd.pictures import ENDINGS, FORMATS
from automl_kd.tasks.reading import Found

_PICTURES = """\
ENDINGS = "{endings}".split()


def examples(argument, column):
    \"\"\"Name and picture of each: of a file, of a list in a .csv or .txt file, or of - for standard input.\"\"\"
    path = Path(argument)
    if argument == "-":
        yield argument, sys.stdin.buffer.read()
    elif path.suffix.lower() in (".csv", ".txt"):
        yield from ((name, path.parent / name) for name in listed(path, column, ("path", "image")))
    else:
        yield argument, path
"""
_ARRAYS = """\
ENDINGS = "{endings}".split()


def examples(argument, column):
    \"\"\"Name and image of each: of a .npy file, which holds one or several{or_picture}.\"\"\"
    path, shape = Path(argument), {kept}
{pictures}    with path.open("rb") as file:
        values = np.lib.format.read_array(file, allow_pickle=False)
    if values.shape[-3:] == (*shape[1:], shape[0]):
        values = np.moveaxis(values, -1, -3)
    if values.dtype.kind not in "iufb" or values.shape[-2:] != shape[1:] or values.size % int(np.prod(shape)):
        raise ValueError(f"it holds {{values.dtype}} {{values.shape}}; an image of this student is {{shape}}")
    images = values.reshape(-1, *shape)
    names = [argument] if len(images) == 1 else [f"{{argument}}[{{row}}]" for row in range(len(images))]
    yield from zip(names, images)
"""
_ALSO_PICTURES = """\
    if path.suffix.lower() != ".npy":
        content = sys.stdin.buffer.read() if argument == "-" else path.read_bytes()
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content), formats=FORMATS)).convert("{mode}")
        picture = ImageOps.fit(picture, ({width}, {height}), Image.Resampling.BILINEAR)
        values = np.asarray(picture).reshape({height}, {width}, {channels}).transpose(2, 0, 1)
        yield argument, {low} + values / 255 * {span}  # black is {low}, white {high}
        return
"""
_IMPORTS = 'import io\n\nfrom PIL import Image, ImageOps\n\nFORMATS = "{formats}".split()\n'


def picture_files() -> str:
    """``ENDINGS`` and ``examples`` for tasks of picture files."""
    return _PICTURES.format(endings=" ".join(sorted(ENDINGS)))


def array_files(kept: tuple[int, int, int], found: Found) -> str:
    """``ENDINGS`` and ``examples`` for tasks of arrays; pictures are taken, too, where these have as many channels.

    Args:
        kept: Channels, height and width of what a task keeps.
        found: What the kind of data says of stored values.
    """
    channels, height, width = kept
    mode = {1: "L", 3: "RGB"}.get(channels)
    if mode is None:
        return _ARRAYS.format(endings=".npy", or_picture="", pictures="", kept=kept)
    low, high = found.span or (0.0, 1.0)
    also = _ALSO_PICTURES.format(
        mode=mode, channels=channels, height=height, width=width, low=low, high=high, span=high - low
    )
    endings = " ".join((".npy", *sorted(ENDINGS)))
    code = _ARRAYS.format(endings=endings, or_picture="; or of a picture, or - for one", pictures=also, kept=kept)
    return _IMPORTS.format(formats=" ".join(FORMATS)) + code
