"""What a task says of its data: counts, what is odd about them, and what contradicts itself."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from task_files import patterns, write_fashion

from automl_kd.core import UserError
from automl_kd.tasks import open_task


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


def _opened(tmp_path, **arrays):
    np.savez(tmp_path / "d.npz", **arrays)
    return open_task("npz", str(tmp_path / "d.npz"))


def _warnings(tmp_path, **arrays):
    return "\n".join(_opened(tmp_path, **arrays).reading.warnings)


def _refused(tmp_path, **arrays):
    with pytest.raises(UserError) as caught:
        _opened(tmp_path, **arrays)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _data(count=60, channels=()):
    images = np.random.default_rng(0).integers(0, 256, (count, 6, 6, *channels), dtype=np.uint8)
    return images, np.arange(count) % 3


def test_a_reading_is_plain_data():
    reading = open_task("digits").reading
    document = json.loads(json.dumps(reading.document()))
    assert document["place"] == "scikit-learn"
    assert {split: sum(counts) for split, counts in document["counts"].items()} == {
        "train": 1000,
        "validation": 300,
        "test": 497,
    }
    assert document["shape"] == [1, 8, 8]
    assert (document["low"], document["high"], document["pixels"]) == (0, 16, "divided by 16")
    assert not reading.warnings


def test_fashion_mnist_and_ordinary_arrays_raise_no_eyebrow(tmp_path):
    folder = write_fashion(tmp_path / "idx", train=13_000)
    reading = open_task("fashion-mnist", str(folder)).reading
    assert (reading.place, reading.shape, reading.pixels) == (str(folder), (1, 28, 28), "divided by 255")
    images, labels = _data()
    reading = _opened(tmp_path, x=images, y=labels).reading
    assert (reading.layout, reading.stored) == ("arrays x (N, H, W) and y", "uint8, 6x6")
    assert not reading.warnings
    assert not reading.left_out


def test_what_is_no_data_is_refused(tmp_path):
    images, labels = _data()
    assert "all images are of the class '0'" in _refused(tmp_path, x=images, y=labels * 0)
    assert "all 39 training images are the same (stored values from 0 to 0;" in _refused(
        tmp_path, x=images * 0, y=labels
    )
    assert "training images are the same" in _refused(tmp_path, x=np.full((60, 6, 6), -7.5), y=labels)
    assert "training images are the same" in _refused(tmp_path, x=np.repeat(images[:1], 60, 0), y=labels)


def test_black_pictures_in_a_folder_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "black" / name).mkdir(parents=True)
        for index in range(12):
            Image.new("RGB", (8, 8)).save(tmp_path / "black" / name / f"{index}.png")
    with pytest.raises(UserError, match=r"training images are the same .* look at a/0\.png"):
        open_task("image-folder", str(tmp_path / "black"))


class TestArrays:
    def test_names_of_other_libraries(self, tmp_path):
        images, labels = _data()
        part = {"images": images, "labels": labels[:, None]}
        parts = {"train": slice(0, 40), "val": slice(40, 48), "test": slice(48, 60)}
        arrays = {f"{split}_{name}": array[rows] for split, rows in parts.items() for name, array in part.items()}
        reading = _opened(tmp_path, **arrays).reading
        assert {split: sum(counts) for split, counts in reading.counts.items()} == {
            "train": 40,
            "validation": 8,
            "test": 12,
        }
        assert _opened(tmp_path, X=images, Y=labels).reading.layout == "arrays X (N, H, W) and Y"

    def test_arrays_that_nobody_reads_are_counted(self, tmp_path):
        images, labels = _data()
        task = _opened(tmp_path, x=images, y=labels, ids=np.arange(60), meta=np.array([{}], object), images=images)
        (left_out,) = task.reading.left_out
        assert (left_out.count, left_out.example) == (3, "ids")
        assert any("also holds images, left out: x, y were read" in line for line in task.reading.warnings)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda x, y: {"y": np.eye(3)[y]}, "they are one-hot: store y.argmax(1)"),
            (lambda x, y: {"y": y.astype(float)}, "they are whole numbers: store y.astype(int)"),
            (lambda x, y: {"x": np.moveaxis(x, 0, -1)}, "its last axis has 60: store np.moveaxis(x, -1, 0)"),
            (lambda x, y: {"x": x.reshape(60, -1)}, "for pictures of 6x6 store x.reshape(-1, 1, 6, 6)"),
            (lambda x, y: {"x": np.where(x == 3, np.inf, x)}, "x holds values that are not finite, in"),
            (lambda x, y: {"x_test": x / 255, "y_test": y}, "x_test holds float64 (1, 6, 6), the training images"),
            (lambda x, y: {"y": y.astype(object)}, "cannot be read as .npz of plain arrays"),
        ],
    )
    def test_a_refusal_says_what_would_be_right(self, tmp_path, change, told):
        images, labels = _data()
        assert told in _refused(tmp_path, **({"x": images, "y": labels} | change(images, labels)))

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda x, y: {"y": y * 2}, "y: labels go from 0 to 4 and none is 1, 3: there are 3 classes"),
            (lambda x, y: {"y": y - 1}, "y: 20 labels are negative (-1)"),
            (lambda x, y: {"x": np.stack([x] * 3, -1)}, "the 3 channels of every image are equal"),
            (lambda x, y: {"x": np.stack([x, x * 0, x], -1)}, "channel 1 has the same value in every"),
            (lambda x, y: {"x": np.stack([x] * 5, 1)[:, :, :6, :]}, "x: (60, 5, 6, 6) was read as 5 channels of 6x6"),
            (lambda x, y: {"x": np.where(y[:, None, None] == 1, x // 128, x)}, "largest value of class '1' (1)"),
            (lambda x, y: {"x": np.where(np.arange(60)[:, None, None] == 7, 9, x)}, "1 image with one value in all"),
        ],
    )
    def test_what_is_odd_is_told(self, tmp_path, change, told):
        images, labels = _data()
        assert told in _warnings(tmp_path, **({"x": images, "y": labels} | change(images, labels)))

    def test_a_test_set_on_another_scale_or_of_one_class(self, tmp_path):
        images, labels = (np.concatenate([each, each]) for each in _data())
        images[60:] ^= 1
        given = {"x": images.astype(np.float32), "y": labels}
        warned = _warnings(tmp_path, **given, x_test=images[:9] / np.float32(255), y_test=labels[:9])
        assert "the largest value of test (0.0039" in warned
        warned = _warnings(tmp_path, **given, x_test=given["x"][:9] / 2, y_test=labels[:9] * 0)
        assert "test has no image of 1, 2" in warned


class TestDoubles:
    def test_one_picture_in_two_classes(self, tmp_path):
        images, labels = _data()
        images[31] = images[3]
        assert "1 image in two classes, such as x[3] (0) and x[31] (1)" in _warnings(tmp_path, x=images, y=labels)

    def test_pictures_to_test_on_that_were_learned(self, tmp_path):
        images, labels = _data()
        more = images[:9].copy()
        more[4:] ^= 1
        warned = _warnings(tmp_path, x_train=images, y_train=labels, x_test=more, y_test=labels[:9])
        assert "4 of 9 test images also in train" in warned

    def test_copies_in_other_formats_and_under_other_names(self, tmp_path):
        images, _ = patterns(48, (8, 8, 3), classes=2)
        for split, first in (("train", 0), ("test", 36)):
            for index in range(first, first + (36 if split == "train" else 12)):
                folder = tmp_path / "photos" / split / ("cat", "dog")[index % 2]
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(images[index]).save(folder / f"{index}.png")
        photos = tmp_path / "photos"
        file = tmp_path / "task.yaml"
        file.write_text(f"name: p\ndata: {{kind: image-folder, path: {photos}, size: 8}}\nsplits: {{validation: 2}}\n")
        assert not any("images also in" in line for line in open_task(str(file)).reading.warnings)
        shown = open_task(str(file)).train
        name = shown.name(0)
        Image.open(photos / name).save(photos / "test" / "cat" / "other.bmp")
        shutil.copy(photos / "test" / "dog" / "47.png", photos / "test" / "dog" / "copy.png")
        (line,) = [line for line in open_task(str(file)).reading.warnings if "images also in" in line]
        assert line.startswith(f"1 of 14 test images also in train, such as test/cat/other.bmp ({name})")


def test_a_class_of_few_images_is_odd(tmp_path):
    images, _ = _data(600)
    labels = np.r_[np.arange(592) % 2, [2] * 8]
    assert "few training images of 2 (" in _warnings(tmp_path, x=images, y=labels)


def test_pictures_that_are_changed_much_are_told(tmp_path):
    source = np.random.default_rng(0)
    for index in range(24):
        shape = (8, 8, 3) if index < 12 else (40, 200, 3)
        folder = tmp_path / "photos" / ("cat", "dog")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(source.integers(0, 256, shape, dtype=np.uint8)).save(folder / f"{index}.png")
    task = tmp_path / "task.yaml"
    task.write_text("name: p\ndata: {kind: image-folder, path: photos, size: 32}\n")
    reading = open_task(str(task)).reading
    assert reading.stored == "uint8 PNG, 8x8 to 200x40"
    assert any(line.startswith("12 of 24 images are smaller than 32x32") for line in reading.warnings)
    assert any(
        line.startswith("12 of 24 images are more than twice as long as wide or high") for line in reading.warnings
    )
    again = open_task(str(task)).reading
    assert again == reading, "what is kept beside the decoded images says the same"
