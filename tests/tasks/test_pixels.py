"""The same pictures, stored in many ways, are the same to a network and to a teacher who expects values in [0, 1]."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from automl_kd.core import UserError
from automl_kd.tasks import open_task

_COUNT = 24
_SIDE = 16


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


def _pictures():
    """Grey pictures of two classes, dark and light, that use all values of a byte."""
    source = np.random.default_rng(0)
    middle = np.where(np.arange(_COUNT) % 2, 160, 60)[:, None, None]
    pictures = np.clip(source.normal(middle, 25, (_COUNT, _SIDE, _SIDE)), 0, 255).astype(np.uint8)
    pictures[:, 0, :2] = (0, 255)
    return pictures


def _unit(task):
    """Training images as a teacher with ``input: {mean, std}`` is shown them: the normalisation undone."""
    shown = task.modality.prepare(task.train.inputs).numpy()
    mean, std = (np.array(values).reshape(-1, 1, 1) for values in (task.modality.mean, task.modality.std))
    return shown * std + mean


def _save_tiff(path, picture, bits, sample_format):
    data = picture.tobytes()
    height, width = picture.shape
    short, long = 3, 4
    tags = [
        *((256, long, width), (257, long, height), (258, short, bits), (259, short, 1), (262, short, 1)),
        *((273, long, 8), (277, short, 1), (278, long, height), (279, long, len(data)), (339, short, sample_format)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory)


def _saved(ending, convert, **how):
    return lambda path, picture: Image.fromarray(convert(picture)).save(path.with_suffix(ending), **how)


def _of_mode(mode, ending):
    return lambda path, picture: Image.fromarray(picture).convert(mode).save(path.with_suffix(ending))


def _turned(ending, convert):
    exif = Image.Exif()
    exif[0x0112] = 6

    def save(path, picture):
        Image.fromarray(np.ascontiguousarray(np.rot90(convert(picture)))).save(path.with_suffix(ending), exif=exif)

    return save


def _two_frames(ending):
    def save(path, picture):
        frames = [Image.fromarray(picture), Image.fromarray(255 - picture)]
        frames[0].save(path.with_suffix(ending), save_all=True, append_images=frames[1:])

    return save


def _sixteen(picture):
    return picture.astype(np.uint16) * 257


_FILES = {
    "uint8 BMP": _saved(".bmp", lambda picture: picture),
    "uint8 as RGB": _of_mode("RGB", ".ppm"),
    "palette": _of_mode("P", ".png"),
    "CMYK": _of_mode("CMYK", ".tif"),
    "grey with opacity": _of_mode("LA", ".png"),
    "colour with opacity": _of_mode("RGBA", ".png"),
    "turned": _turned(".png", lambda picture: picture),
    "turned TIFF": _turned(".tif", lambda picture: picture),
    "turned 16 bit": _turned(".png", _sixteen),
    "two frames TIFF": _two_frames(".tif"),
    "two frames GIF": _two_frames(".gif"),
    "16 bit PNG": _saved(".png", _sixteen),
    "16 bit TIFF": _saved(".tif", _sixteen),
    "16 bit JPEG 2000": _saved(".jp2", _sixteen),
    "16 bit PGM": _saved(".pgm", _sixteen),
    "14 bit of 16": _saved(".tif", lambda picture: np.round(picture / 255 * 16383).astype(np.uint16)),
    "12 bit of 16": _saved(".png", lambda picture: np.round(picture / 255 * 4095).astype(np.uint16)),
    "8 bit of 16": _saved(".png", lambda picture: picture.astype(np.uint16)),
    "signed 16 bit": lambda path, picture: _save_tiff(
        path.with_suffix(".tif"), (picture.astype(np.int32) * 257 - 32768).astype("<i2"), 16, 2
    ),
    "unsigned 32 bit": lambda path, picture: _save_tiff(
        path.with_suffix(".tif"), picture.astype("<u4") * 16843009, 32, 1
    ),
    "32 bit of 16": _saved(".tif", lambda picture: picture.astype(np.int32) * 257),
    "32 bit, no range": _saved(".tif", lambda picture: picture.astype(np.int32) * 1000 - 90_000),
    "float to 1": _saved(".tif", lambda picture: (picture / 255).astype(np.float32)),
    "float to 255": _saved(".tif", lambda picture: picture.astype(np.float32)),
    "float from -1": _saved(".tif", lambda picture: (picture / 127.5 - 1).astype(np.float32)),
    "float from -0.5": _saved(".tif", lambda picture: (picture / 255 - 0.5).astype(np.float32)),
    "float, standardised": _saved(".tif", lambda picture: ((picture / 255 - 0.45) / 0.22).astype(np.float32)),
    "float, no range": _saved(".tif", lambda picture: picture.astype(np.float32) * 1e5),
}


def _folder(root, save):
    for index, picture in enumerate(_pictures()):
        folder = root / ("dark", "light")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        save(folder / f"{index:02}", picture)
    return root


def _opened(tmp_path, root):
    file = tmp_path / "task.yaml"
    file.write_text(f"name: p\ndata: {{kind: image-folder, path: {root}, size: {_SIDE}, channels: 1}}\n")
    return open_task(str(file))


@pytest.mark.parametrize("name", _FILES)
def test_files_of_any_type_show_the_same_pictures(tmp_path, name):
    plain = _opened(tmp_path, _folder(tmp_path / "plain", _saved(".png", lambda picture: picture)))
    task = _opened(tmp_path, _folder(tmp_path / "other", _FILES[name]))
    # Four values of a byte: the palette has 216 colours of its own.
    assert np.abs(_unit(task) - _unit(plain)).max() < 4 / 255
    assert task.reading.pixels
    assert task.modality.white == 255


def test_bits_are_black_and_white(tmp_path):
    task = _opened(tmp_path, _folder(tmp_path / "bits", _of_mode("1", ".png")))
    assert set(np.unique(task.train.inputs.numpy())) == {0, 255}


def test_transparent_parts_are_white(tmp_path):
    def save(path, picture):
        colours = np.zeros((_SIDE, _SIDE, 4), np.uint8)
        colours[: 2 + picture.max() % 7 + path.name.endswith("1"), :5, 3] = 255
        Image.fromarray(colours).save(path.with_suffix(".png"))

    task = _opened(tmp_path, _folder(tmp_path / "icons", save))
    assert (task.train.inputs[:, 0, 0, 0] == 0).all()
    assert (task.train.inputs[:, 0, -1, -1] == 255).all()
    assert "white where transparent (24 images)" in task.reading.pixels


def test_a_dead_pixel_costs_no_contrast(tmp_path):
    """One picture with the largest value of its type leaves narrow values of all others as far apart as they were."""

    def save(path, picture):
        values = 7000 + picture.astype(np.uint16)
        values[0, 0] = 65535 if path.name == "00" else 7000
        Image.fromarray(values).save(path.with_suffix(".png"))

    task = _opened(tmp_path, _folder(tmp_path / "thermal", save))
    values = np.unique(task.train.inputs.numpy()[:, :, 1:])
    assert len(values) > 200
    assert "divided by 65535" in task.reading.pixels


def test_narrow_values_of_deep_files_are_stretched_and_this_is_told(tmp_path):
    for name, convert in {
        "thermal": lambda picture: 7000 + picture.astype(np.uint16),
        "reflectance": lambda picture: (picture / 255 * 0.01).astype(np.float32),
    }.items():
        task = _opened(tmp_path, _folder(tmp_path / name, _saved(".tif", convert)))
        assert (float(task.train.inputs.min()), float(task.train.inputs.max())) == (0, 255)
        assert "becomes 0 and" in task.reading.pixels
        assert any("% of [0, " in line and "their own range was taken" in line for line in task.reading.warnings)


def test_types_are_mixed_by_the_rule_of_each_and_this_is_told(tmp_path):
    types = (_FILES["16 bit PNG"], _FILES["uint8 BMP"], _FILES["float to 1"])
    mixed = _folder(tmp_path / "mixed", lambda path, picture: types[int(path.name) // 2 % 3](path, picture))
    task = _opened(tmp_path, mixed)
    plain = _opened(tmp_path, _folder(tmp_path / "plain", _saved(".png", lambda picture: picture)))
    key = lambda images: sorted(np.round(images, 2).reshape(len(images), -1).tolist())  # noqa: E731
    assert np.allclose(key(_unit(task)), key(_unit(plain)), atol=0.02)
    assert "uint8: divided by 255" in task.reading.pixels
    assert "uint16: divided by 65535" in task.reading.pixels
    assert any("several types" in line for line in task.reading.warnings)


def test_a_type_that_tells_the_class_is_odd(tmp_path):
    def save(path, picture):
        (_FILES["16 bit PNG"] if path.parent.name == "dark" else _FILES["uint8 BMP"])(path, picture)

    task = _opened(tmp_path, _folder(tmp_path / "told", save))
    assert any("'dark' are uint16 PNG and those of the others uint8 BMP" in line for line in task.reading.warnings)


def test_values_that_are_not_finite_are_refused(tmp_path):
    root = _folder(tmp_path / "nan", _FILES["float to 1"])
    Image.fromarray(np.full((_SIDE, _SIDE), np.nan, np.float32)).save(root / "dark" / "nan.tif")
    with pytest.raises(
        UserError, match=r"dark/nan\.tif: cannot be read as an image: it holds values that are not finite"
    ):
        _opened(tmp_path, root)


_ARRAYS = {
    "int64": lambda x: x.astype(np.int64),
    "uint16 of a byte": lambda x: x.astype(np.uint16),
    "int16 of a byte": lambda x: x.astype(np.int16),
    "float16 of a byte": lambda x: x.astype(np.float16),
    "float64 of a byte": lambda x: x.astype(np.float64),
    "uint16": lambda x: x.astype(np.uint16) * 257,
    "big-endian uint16": lambda x: x.astype(">u2") * 257,
    "uint16 of 12 bit": lambda x: np.round(x / 255 * 4095).astype(np.uint16),
    "int16 to 32767": lambda x: np.round(x / 255 * 32767).astype(np.int16),
    "int16 from -32768": lambda x: (x.astype(np.int32) * 257 - 32768).astype(np.int16),
    "int8": lambda x: (x.astype(np.int16) - 128).astype(np.int8),
    "uint32": lambda x: x.astype(np.uint32) * 16843009,
    "int64 of no range": lambda x: x.astype(np.int64) * 10**9 - 10**6,
    "float32": lambda x: (x / 255).astype(np.float32),
    "float16": lambda x: (x / 255).astype(np.float16),
    "float64 from -1": lambda x: x / 127.5 - 1,
    "float64 from -0.5": lambda x: x / 255 - 0.5,
    "float64, standardised": lambda x: (x / 255 - 0.45) / 0.22,
    "float32 to 65535": lambda x: x.astype(np.float32) * 257,
    "float64 to 254.9": lambda x: x * (254.9 / 255),
    "float64 to 16": lambda x: x / 255 * 16,
}
_OF_BYTES = ("int64", "uint16 of a byte", "int16 of a byte", "float16 of a byte", "float64 of a byte")


def _archive(folder, images):
    np.savez(folder / "d.npz", x=images, y=np.arange(len(images)) % 2)
    return open_task("npz", str(folder / "d.npz"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pictures=arrays(np.uint8, (20, 4, 5, 3), elements=st.integers(0, 255)),
    name=st.sampled_from(sorted(_ARRAYS)),
)
def test_arrays_of_any_type_show_the_same_pictures(tmp_path, pictures, name):
    pictures[:, 0, 0, :2] = (0, 255)  # all values of a byte are used
    pictures[:, 1, 0, 0] = np.arange(20)
    plain = _archive(tmp_path, pictures)
    task = _archive(tmp_path, _ARRAYS[name](pictures))
    assert np.abs(_unit(task) - _unit(plain)).max() < 1 / 255
    # Within a rounding of float16, also after the division by a small deviation.
    shown, expected = (each.modality.prepare(each.train.inputs).numpy() for each in (task, plain))
    assert np.abs(shown - expected).max() * min(plain.modality.std) < 1 / 255


@pytest.mark.parametrize("name", _OF_BYTES)
def test_arrays_of_bytes_are_one_task_whatever_their_type(tmp_path, name):
    assert _archive(tmp_path, _ARRAYS[name](_pictures())).sha256 == _archive(tmp_path, _pictures()).sha256


@pytest.mark.parametrize("convert", [lambda x: x > 127, lambda x: (x > 127).astype(np.int64), lambda x: (x > 127) / 1])
def test_black_and_white_arrays(tmp_path, convert):
    assert set(np.unique(_unit(_archive(tmp_path, convert(_pictures()))).round(6))) == {0, 1}


@pytest.mark.parametrize(
    ("images", "odd"),
    [
        ((_pictures() > 127).astype(np.uint8), "x: values from 0 to 1 fill 0.39 % of [0, 255]"),
        (_pictures() // 16, "x: values from 0 to 15 fill 5.9 % of [0, 255]"),
        (_pictures() / 255 / 50, "x: values from 0 to 0.02 fill 2 % of [0, 1]"),
        (7000 + _pictures().astype(np.uint16), "x: values from 7000 to 7255 fill 1.6 % of [0, 16383]"),
        (_pictures() / 255 * 16, "x: values from 0 to 16 fill neither [0, 1] nor [0, 255]"),
        (_pictures().astype(np.int16) * 16 - 1024, "x: values from -1024 to 3056 are of no common range"),
        (_pictures() / 50 - 2, "x: values from -2 to 3.1 are of no common range"),
    ],
)
def test_values_of_an_odd_range_are_told(tmp_path, images, odd):
    reading = _archive(tmp_path, images).reading
    assert any(line.startswith(odd) for line in reading.warnings), reading.warnings
    assert (reading.low, reading.high) == (images.min(), images.max())


def _save_deep_colour(path, values):
    """A PNG of 16 bit a channel, which Pillow reads and does not write."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.with_suffix(".png").write_bytes(content)


def test_colour_of_16_bit_is_read_by_its_upper_half_where_that_says_enough(tmp_path):
    def save(path, picture):
        _save_deep_colour(path, np.stack([picture.astype(np.uint16) * 257] * 3, -1))

    plain = _opened(tmp_path, _folder(tmp_path / "plain", _saved(".png", lambda picture: picture)))
    task = _opened(tmp_path, _folder(tmp_path / "deep", save))
    assert task.sha256 == plain.sha256
    assert any("24 images of 16 bit, in colour" in line for line in task.reading.warnings)

    dark = _folder(tmp_path / "dark", lambda path, picture: _save_deep_colour(path, np.stack([picture * 16.0] * 3, -1)))
    with pytest.raises(UserError, match=r"these are at most 15: multiply all values by 16, or store 8 bit"):
        _opened(tmp_path, dark)
