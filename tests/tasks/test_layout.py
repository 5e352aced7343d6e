"""Folders as people lay them out: splits, classes, and what lies between."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from automl_kd.core import UserError
from automl_kd.tasks import open_task

_SOURCE = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "photos"


def _picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_SOURCE.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)


def _classes(folder, count=12, names=("cat", "dog")):
    for name in names:
        for index in range(count):
            _picture(folder / name / f"{index:02}.png")


def _opened(root, splits="{}"):
    file = root.parent / "task.yaml"
    file.write_text(f"name: p\ndata: {{kind: image-folder, path: {root}, size: 8}}\nsplits: {splits}\n")
    return open_task(str(file))


def _refused(root, splits="{}"):
    with pytest.raises(UserError) as caught:
        _opened(root, splits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _warned(task, *words):
    return any(all(word in line for word in words) for line in task.reading.warnings)


class TestSplits:
    @pytest.mark.parametrize(
        ("folders", "counts"),
        [
            (("train", "val", "test"), (12, 6, 4)),
            (("Train", "Valid", "Test"), (12, 6, 4)),
            (("training", "validation", "testing"), (12, 6, 4)),
            (("TRAIN", "dev", "eval"), (12, 6, 4)),
            (("train", "eval", "test"), (12, 6, 4)),
            (("training_set", "dev-images", "test2017"), (12, 6, 4)),
        ],
    )
    def test_folders_called_like_splits_are_splits(self, root, folders, counts):
        for folder, count in zip(folders, counts, strict=True):
            _classes(root / folder, count)
        task = _opened(root)
        assert task.problem.names == ("cat", "dog")
        assert task.reading.counts == {
            split: (count, count) for split, count in zip(("train", "validation", "test"), counts, strict=True)
        }
        assert task.reading.layout == f"{folders[0]}/ {folders[1]}/ {folders[2]}/ with one sub-folder a class"
        shown = {split: getattr(task, split) for split in ("train", "validation", "test")}
        for folder, split in zip(folders, shown.values(), strict=True):
            first = np.asarray(Image.open(root / folder / "cat" / "00.png")).transpose(2, 0, 1)
            assert any(np.array_equal(image, first) for image in split.inputs.numpy()), folder

    @pytest.mark.parametrize(
        ("folders", "drawn", "kept"),
        [
            (("train", "test"), "validation drawn from train", {"test": (6, 6)}),
            (("train", "val"), "test drawn from train", {"validation": (6, 6)}),
            (("train", "eval"), "validation drawn from train", {"test": (6, 6)}),
            (("train",), "validation and test drawn from train", {}),
        ],
    )
    def test_a_split_that_is_missing_is_drawn_from_train(self, root, folders, drawn, kept):
        for folder in folders:
            _classes(root / folder, 30 if folder == "train" else 6)
        reading = _opened(root).reading
        assert reading.layout.endswith(drawn)
        assert kept.items() <= reading.counts.items()
        assert sum(map(sum, reading.counts.values())) == 60 + 12 * (len(folders) - 1)

    def test_sizes_that_contradict_the_folders_are_refused(self, root):
        for folder in ("train", "val", "test"):
            _classes(root / folder)
        assert "splits.validation: the data have a validation set of their own" in _refused(root, "{validation: 0.2}")
        assert "splits.test: the data have a test set of their own" in _refused(root, "{test: 4}")
        assert _opened(root, "{train: 10}").reading.counts["train"] == (5, 5)

    def test_classes_that_train_lacks_are_named(self, root):
        _classes(root / "train")
        _classes(root / "val", 4, ("cat", "Dog"))
        assert "val: holds images of the class 'Dog', of which train has none (its classes: cat, dog)" in _refused(root)

    def test_classes_that_a_held_out_split_lacks_are_odd(self, root):
        _classes(root / "train")
        _classes(root / "test", 4, ("cat",))
        assert _warned(_opened(root), "test has no image of dog")

    def test_images_without_classes_are_no_split(self, root):
        _classes(root / "train")
        for index in range(5):
            _picture(root / "test" / f"{index}.png")
        task = _opened(root)
        assert task.reading.layout.endswith("validation and test drawn from train")
        assert _warned(task, "test holds 5 images and none in the folder of a class", "test is drawn from train")
        assert [(each.count, each.example) for each in task.reading.left_out] == [(5, "test/0.png")]

    def test_a_folder_beside_the_splits_is_told(self, root):
        _classes(root / "train")
        _classes(root / "val", 4)
        _picture(root / "unlabelled" / "1.png")
        task = _opened(root)
        assert task.problem.names == ("cat", "dog")
        assert _warned(task, "unlabelled lies beside the splits and is left out")

    def test_two_folders_for_one_split(self, root):
        for folder in ("train", "val", "valid"):
            _classes(root / folder)
        assert "val and valid could both be the validation split" in _refused(root)

    def test_splits_without_train_or_without_classes(self, root, tmp_path):
        _classes(root / "val")
        _classes(root / "test")
        assert "holds test, val, which are called like splits, and no train" in _refused(root)
        _classes(tmp_path / "flat", names=("train", "test"))
        assert "lay it out as train/CLASS/image.png" in _refused(tmp_path / "flat")

    def test_a_class_called_like_a_split_is_odd(self, root):
        _classes(root, names=("bus", "car", "train"))
        task = _opened(root)
        assert task.problem.names == ("bus", "car", "train")
        assert _warned(task, "train is taken for a class and called like a split")

    def test_splits_below_classes_are_odd(self, root):
        for name in ("cat", "dog"):
            _classes(root / name, names=("train", "test"))
        assert _warned(_opened(root), "the classes hold sub-folders test, train, which are not taken for splits")


class TestWhatIsNoLayout:
    def test_a_folder_around_the_data_is_named(self, root):
        _classes(root / "photos" / "photos")
        assert f"holds one sub-folder; {root}/photos/photos holds cat, dog: give that one" in _refused(root)

    def test_images_without_classes(self, root):
        _picture(root / "1.png")
        said = _refused(root)
        assert "holds 1 image and no sub-folders; put those of each class into its own (known layouts: CLASS/" in said
        assert "a .csv or .parquet list of path,label[,split][,group])" in said

    def test_one_class_and_no_folder(self, root):
        _classes(root, names=("cat",))
        assert "holds 1 sub-folders; it should hold one for each of two or more classes" in _refused(root)
        archive = root.parent / "photos.zip"
        archive.write_bytes(b"PK")
        assert "photos.zip: is a file; it should hold one sub-folder" in _refused(archive)

    def test_a_class_of_files_that_are_not_read(self, root):
        _classes(root)
        (root / "bird").mkdir()
        (root / "bird" / "1.heic").write_bytes(b"\0\0\0\x18ftypheic")
        assert "bird: holds no images; left out: 1 file, a picture in a format that is not read: .heic" in _refused(
            root
        )


class TestFiles:
    @pytest.mark.parametrize("name", ["a.jfif", "a.JPE", "a", "a.dat", "a.PNG", "a.jpg.bak", "a.webp", "a.tif"])
    def test_pictures_are_known_by_their_content(self, root, name):
        _classes(root)
        (root / "cat" / "00.png").rename(root / "cat" / name)
        task = _opened(root)
        assert sum(map(sum, task.reading.counts.values())) == 24
        assert not task.reading.left_out

    def test_links_are_followed(self, root, tmp_path):
        _classes(root)
        (tmp_path / "away").mkdir()
        for index in range(6):
            shutil.move(root / "cat" / f"{index:02}.png", tmp_path / "away" / f"{index:02}.png")
        (root / "cat" / "more").symlink_to(tmp_path / "away")
        shutil.move(root / "dog" / "00.png", tmp_path / "one.png")
        (root / "dog" / "00.png").symlink_to(tmp_path / "one.png")
        assert sum(map(sum, _opened(root).reading.counts.values())) == 24

    def test_links_in_circles_and_to_nowhere_are_counted(self, root):
        _classes(root)
        (root / "cat" / "up").symlink_to("..")
        (root / "cat" / "far").symlink_to("/")
        (root / "dog" / "self").symlink_to(".")
        (root / "dog" / "gone.png").symlink_to("nowhere.png")
        task = _opened(root)
        assert sum(map(sum, task.reading.counts.values())) == 24
        counted = {each.reason: each.count for each in task.reading.left_out}
        assert counted == {"a link back to a folder that it lies in": 3, "a link that leads nowhere": 1}
        assert _warned(task, "1 file left out: a link that leads nowhere, such as dog/gone.png")

    def test_what_is_left_out_is_counted_by_its_reason(self, root):
        _classes(root)
        cat = root / "cat"
        for name, content in {
            "notes.txt": b"P5 is how a PGM begins",
            "labels.json": b"{}",
            "Thumbs.db": b"x",
            "._00.png": b"\0\5\x16\7",
            "empty.png": b"",
            "raw.NEF": b"II*\0",
            "list": b"x",
        }.items():
            (cat / name).write_bytes(content)
        _picture(cat / ".ipynb_checkpoints" / "copy.png")
        _picture(root / "__MACOSX" / "cat" / "copy.png")
        _picture(root / "beside.png")
        os.mkfifo(cat / "pipe")
        reading = _opened(root).reading
        assert {each.reason: each.count for each in reading.left_out} == {
            "hidden, or kept by the system": 4,
            "no image: .txt": 1,
            "no image: .json": 1,
            "no image: no ending": 1,
            "empty": 1,
            "a picture in a format that is not read: .nef": 1,
            "an image outside the folders of the classes": 1,
            "neither a file nor a folder": 1,
        }
        assert {each.example for each in reading.left_out} >= {"cat/notes.txt", "beside.png", "cat/pipe"}
        warned = [line for line in reading.warnings if "left out" in line]
        assert len(warned) == 3, "only what looks like lost pictures is worth a warning"

    def test_damaged_files_are_counted_and_one_is_named(self, root):
        _classes(root)
        for name in ("01", "02"):
            file = root / "dog" / f"{name}.png"
            file.write_bytes(file.read_bytes()[:100])
        message = _refused(root)
        assert "dog/01.png: cannot be read as an image, nor can 1 others of 24" in message

    def test_libraries_are_silent_about_damage(self, root, capfd):
        _classes(root)
        file = root / "cat" / "00.tif"
        Image.open(root / "cat" / "00.png").save(file, compression="tiff_adobe_deflate")
        content = bytearray(file.read_bytes())
        content[12:40] = bytes(28)
        file.write_bytes(content)
        assert "cat/00.tif: cannot be read as an image" in _refused(root)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"<!DOCTYPE html><p>404", "it holds a web page"),
            (b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "it holds HEIC"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "it is of no known format"),
        ],
    )
    def test_what_a_file_holds_instead_of_a_picture_is_told(self, root, content, told):
        _classes(root)
        (root / "cat" / "00.png").write_bytes(content)
        message = _refused(root)
        assert "cat/00.png: cannot be read as an image" in message
        assert told in message
