"""Pictures on disk: decoded once by whatever processes, gone on with when killed, never read whole to be opened."""

import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from automl_kd.core import UserError
from automl_kd.pictures import Pictures, decoded
from automl_kd.tasks import open_task
from automl_kd.tasks.stored_pictures import StoredPictures

_PER_CLASS = 12
_DECODE = """
import sys
from pathlib import Path
from automl_kd.pictures import Pictures, decoded
root = Path(sys.argv[1])
names = tuple(str(path.relative_to(root)) for path in sorted(root.rglob("*.png")))
pictures = Pictures(root, names, (0,) * len(names), ("",), size=8)
decoded(pictures, None, lambda share, doing: print(doing, flush=True))
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


def _save(path, index, shape=(40, 36, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _folder(root, per_class=_PER_CLASS, shape=(40, 36, 3)):
    for index in range(2 * per_class):
        _save(root / ("cat", "dog")[index % 2] / f"{index:04}.png", index, shape)
    return root


def _task(folder, options="size: 32"):
    (folder / "task.yaml").write_text(f"name: t\ndata: {{kind: image-folder, path: photos, {options}}}\n")
    return folder / "task.yaml"


def _opened(folder, options="size: 32"):
    return open_task(str(_task(folder, options)))


def _refused(folder, options="size: 32"):
    with pytest.raises(UserError) as caught:
        _opened(folder, options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _on_disk(monkeypatch):
    """As on a machine without free memory."""
    from psutil import virtual_memory

    none = virtual_memory()._replace(available=0)
    monkeypatch.setattr("psutil.virtual_memory", lambda: none)


def test_a_set_on_disk_is_the_set_in_memory(tmp_path, monkeypatch):
    root = _folder(tmp_path / "photos")
    Image.open(root / "cat" / "0000.png").save(root / "dog" / "copy.png")
    inside = _opened(tmp_path)
    _on_disk(monkeypatch)
    outside = _opened(tmp_path)
    assert isinstance(outside.train.inputs, StoredPictures)
    assert isinstance(inside.train.inputs, torch.Tensor)
    assert outside.sha256 == inside.sha256
    assert (outside.modality.mean, outside.modality.std) == (inside.modality.mean, inside.modality.std)
    assert outside.reading == inside.reading
    assert any("1 image in two classes" in line for line in outside.reading.warnings)
    for split in ("train", "validation", "test"):
        ours, theirs = getattr(outside, split), getattr(inside, split)
        assert torch.equal(ours.tensor, theirs.inputs)
        index = torch.tensor([2, 0, 2])
        assert torch.equal(ours.inputs[index], theirs.inputs[index])
        assert torch.equal(ours.inputs[1:3], theirs.inputs[1:3])
        taken = ours.take(np.array([2, 1]))
        assert torch.equal(taken.inputs[:], theirs.take(np.array([2, 1])).inputs)
        assert [taken.name(row) for row in (0, 1)] == [ours.name(2), ours.name(1)]
    batch = outside.train.inputs[torch.arange(3)]
    batch.zero_()  # a copy: the store stays what it is
    assert not torch.equal(outside.train.inputs[torch.arange(3)], batch)


def test_mean_and_deviation_are_those_of_the_training_pictures(tmp_path):
    _folder(tmp_path / "photos")
    task = _opened(tmp_path)
    values = task.train.inputs.double() / 255
    assert task.modality.mean == pytest.approx(values.mean((0, 2, 3)).tolist(), rel=1e-5)
    assert task.modality.std == pytest.approx(values.std((0, 2, 3), correction=0).tolist(), rel=1e-5)


def test_what_is_pickled_is_small_and_reads_the_same(tmp_path, monkeypatch):
    _folder(tmp_path / "photos")
    _on_disk(monkeypatch)
    inputs = _opened(tmp_path).train.inputs
    assert inputs.digests()
    assert len(inputs[:])
    content = pickle.dumps(inputs)
    assert len(content) < 2000
    assert torch.equal(pickle.loads(content)[:], inputs[:])


def test_pictures_are_kept_larger_than_networks_take_them_where_they_are(tmp_path):
    _folder(tmp_path / "photos", shape=(100, 70, 3))
    task = _opened(tmp_path, "size: 56")
    assert task.train.inputs.shape[1:] == (3, 64, 64)
    assert task.signature.input.shape == (3, 56, 56)
    assert task.modality.prepare(task.train.inputs[:2]).shape == (2, 3, 56, 56)
    assert _opened(tmp_path, "size: 70").train.inputs.shape[1:] == (3, 70, 70), "none are enlarged"
    assert _opened(tmp_path, "size: 68").train.inputs.shape[1:] == (3, 70, 70)


def test_the_same_store_at_two_sizes_is_two_tasks(tmp_path):
    _folder(tmp_path / "photos", shape=(64, 64, 3))
    small, large = _opened(tmp_path, "size: 56"), _opened(tmp_path, "size: 64")
    assert torch.equal(small.train.inputs, large.train.inputs)
    assert small.sha256 != large.sha256


def test_files_that_have_not_changed_are_not_opened_again(tmp_path):
    root = _folder(tmp_path / "photos")
    first = _opened(tmp_path)
    file = root / "cat" / "0000.png"
    before = file.stat()
    file.write_bytes(bytes(before.st_size))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _opened(tmp_path).sha256 == first.sha256, "known by path, size and time, as docs/tasks.md says"
    os.utime(file)
    assert "cat/0000.png: cannot be read as an image" in _refused(tmp_path)
    _save(file, 0)
    assert _opened(tmp_path).sha256 == first.sha256, "what is hashed is what the pictures show"


def test_a_folder_that_moves_keeps_its_hash(tmp_path):
    _folder(tmp_path / "photos")
    first = _opened(tmp_path)
    (tmp_path / "photos").rename(tmp_path / "other")
    (tmp_path / "photos").symlink_to("other")
    assert _opened(tmp_path).sha256 == first.sha256


def _shares(root, cache, monkeypatch):
    """How many shares of the pictures are decoded into a cache that may hold some."""
    monkeypatch.setenv("AUTOML_KD_CACHE", str(cache))
    names = tuple(str(path.relative_to(root)) for path in sorted(root.rglob("*.png")))
    told = []
    decoded(
        Pictures(root, names, (0,) * len(names), ("",), size=8),
        None,
        lambda share, doing: told.append(doing.split()[0]),
    )
    return told.count("decoding")


def test_a_decoding_that_is_killed_goes_on_and_ends_as_one_that_is_not(tmp_path, monkeypatch):
    root = _folder(tmp_path / "many", 320, (8, 8, 3))
    environment = os.environ | {"AUTOML_KD_CACHE": str(tmp_path / "killed"), "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen(
        [sys.executable, "-c", _DECODE, str(root)], env=environment, stdout=subprocess.PIPE, text=True
    )
    for line in killed.stdout:
        if line.startswith("decoding"):
            break
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not list((tmp_path / "killed" / "images").glob("*.npy"))
    again, whole = (_shares(root, tmp_path / cache, monkeypatch) for cache in ("killed", "whole"))
    assert 0 < again < whole
    (stored,) = (tmp_path / "killed" / "images").glob("*.npy")
    assert stored.read_bytes() == (tmp_path / "whole" / "images" / stored.name).read_bytes()
    assert not [path.name for path in stored.parent.iterdir() if "draft" in path.name or "journal" in path.name]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    _folder(tmp_path / "photos")
    _opened(tmp_path)
    there = set((tmp_path / "cache" / "images").iterdir())
    monkeypatch.setattr("automl_kd.core.disk_space.free_bytes", lambda folder: 1000)
    assert " KiB needed, 1000 B free; make room, or set AUTOML_KD_CACHE" in _refused(tmp_path, "size: 24")
    assert all(path.suffix == ".lock" for path in set((tmp_path / "cache" / "images").iterdir()) - there)


class TestDefaultSize:
    @pytest.mark.parametrize(
        ("sides", "teacher", "size", "said"),
        [
            (((64, 64),), None, 64, "the median of the pictures' shorter sides"),
            (((70, 90), (60, 90), (62, 400)), None, 56, "62, down to a multiple of 8"),
            (((300, 400),), None, 224, "the usual size"),
            (((300, 400),), 240, 240, "as the teacher takes them"),
            (((64, 64),), 240, 64, "the median of the pictures' shorter sides"),
        ],
    )
    def test_it_is_the_teachers_or_224_or_what_the_pictures_have(self, tmp_path, sides, teacher, size, said):
        for index in range(24):
            path = tmp_path / "photos" / ("cat", "dog")[index % 2] / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", sides[index % len(sides)], (10 * index, 1, 2)).save(path)
        text = "name: t\ndata: {kind: image-folder, path: photos}\n"
        if teacher:
            (tmp_path / "net").mkdir()
            (tmp_path / "net" / "config.json").write_text(
                f'{{"architecture": "resnet18", "pretrained_cfg": {{"input_size": [3, {teacher}, {teacher}]}}}}'
            )
            text += "teacher: {timm: net}\n"
        (tmp_path / "t.yaml").write_text(text)
        task = open_task(str(tmp_path / "t.yaml"))
        assert task.signature.input.shape == (3, size, size)
        assert any(said in line for line in task.reading.told)

    def test_what_the_user_says_of_the_teachers_input_has_the_last_word(self, tmp_path):
        _folder(tmp_path / "photos", shape=(130, 130, 3))
        (tmp_path / "net").mkdir()
        (tmp_path / "net" / "config.json").write_text('{"image_size": 96}')
        for more, size in (("", 96), (", input: {size: 48}", 48)):
            (tmp_path / "t.yaml").write_text(
                f"name: t\ndata: {{kind: image-folder, path: photos}}\nteacher: {{transformers: net{more}}}\n"
            )
            assert open_task(str(tmp_path / "t.yaml")).signature.input.shape == (3, size, size)


class TestDamage:
    def _damaged(self, tmp_path):
        root = _folder(tmp_path / "photos")
        for name in ("0001", "0003", "0005"):
            file = root / "dog" / f"{name}.png"
            file.write_bytes(file.read_bytes()[:200])
        (root / "cat" / "0002.png").write_bytes(b"<html>")
        return root

    def test_all_damaged_files_are_counted_and_some_named(self, tmp_path):
        self._damaged(tmp_path)
        said = _refused(tmp_path)
        assert "cat/0002.png: cannot be read as an image: it is of no known format; it holds a web page" in said
        assert said.endswith("or leave them out with data.skip_damaged: true")
        _save(tmp_path / "photos" / "cat" / "0002.png", 2)
        said = _refused(tmp_path)
        assert "dog/0001.png: cannot be read as an image, nor can 2 others of 24 (dog/0003.png, dog/0005.png)" in said

    def test_they_are_left_out_on_demand(self, tmp_path):
        self._damaged(tmp_path)
        task = _opened(tmp_path, "size: 32, skip_damaged: true")
        assert sum(map(sum, task.reading.counts.values())) == 20
        (left_out,) = task.reading.left_out
        assert (left_out.reason, left_out.count, left_out.example) == ("damaged", 4, "cat/0002.png")
        (line,) = [line for line in task.reading.warnings if "damaged" in line]
        assert line.startswith("4 images damaged and left out: cat/0002.png, dog/0001.png, dog/0003.png and 1 more (")
        names = {split.name(row) for split in (task.train, task.validation, task.test) for row in range(len(split))}
        assert len(names) == 20
        assert "dog/0001.png" not in names
        first = task.train.name(0)
        plain = Image.open(tmp_path / "photos" / first).crop((0, 2, 36, 38)).resize((32, 32), Image.Resampling.BILINEAR)
        wanted = np.asarray(plain, np.float32).transpose(2, 0, 1)
        shown = task.modality.prepare(task.train.inputs[:1])[0].numpy()
        mean, std = (np.array(each).reshape(3, 1, 1) for each in (task.modality.mean, task.modality.std))
        assert np.abs((shown * std + mean) * 255 - wanted).max() < 60, "the picture of its own name"
        _refused(tmp_path)

    def test_nothing_but_damaged_files(self, tmp_path):
        root = _folder(tmp_path / "photos")
        for file in root.rglob("*.png"):
            file.write_bytes(b"nothing")
        assert "none of its 24 pictures can be read" in _refused(tmp_path, "skip_damaged: true")


@pytest.mark.parametrize(
    ("background", "colour"), [("white", (255, 255, 255)), ("navy", (0, 0, 128)), ("[1, 2, 3]", (1, 2, 3))]
)
def test_what_is_transparent_shows_the_background(tmp_path, background, colour):
    for index in range(24):
        image = Image.new("RGBA", (16, 16), (index * 10, 50, 60, 255))
        image.paste((0, 255, 0, 0), (0, 0, 8, 16))
        path = tmp_path / "photos" / ("cat", "dog")[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    task = _opened(tmp_path, f"size: 16, background: {background}")
    assert tuple(task.train.inputs[0, :, 0, 0].tolist()) == colour
    assert task.train.inputs[0, 1:, 0, -1].tolist() == [50, 60]
    assert "where transparent (24 images)" in task.reading.pixels


def test_a_background_that_is_no_colour(tmp_path):
    _folder(tmp_path / "photos")
    assert "data.background: 'whit' is no colour; write a name" in _refused(tmp_path, "background: whit")


class TestUnlabelled:
    def _more(self, tmp_path, count=5, shape=(40, 36, 3)):
        for index in range(count):
            _save(tmp_path / "more" / "deep" / f"{index}.png", 100 + index, shape)

    def test_they_come_beside_the_others_and_are_part_of_the_hash(self, tmp_path, monkeypatch):
        _folder(tmp_path / "photos")
        self._more(tmp_path)
        (tmp_path / "more" / "notes.txt").write_text("x")
        without, task = _opened(tmp_path), _opened(tmp_path, "size: 32, unlabelled: more")
        assert without.unlabelled is None
        assert torch.equal(task.train.inputs, without.train.inputs)
        assert task.unlabelled.inputs.shape == (5, *task.train.inputs.shape[1:])
        assert task.unlabelled.labels.tolist() == [0] * 5
        assert task.unlabelled.labels.dtype == task.train.labels.dtype
        assert any("5 unlabelled images in" in line for line in task.reading.told)
        assert any("unlabelled 1 file left out: no image: .txt" in line for line in task.reading.warnings)
        assert task.sha256 != without.sha256
        self._more(tmp_path, 6)
        assert _opened(tmp_path, "size: 32, unlabelled: more").sha256 not in (task.sha256, without.sha256)
        _on_disk(monkeypatch)
        assert isinstance(_opened(tmp_path, "size: 32, unlabelled: more").unlabelled.inputs, StoredPictures)

    def test_a_list_of_them(self, tmp_path):
        _folder(tmp_path / "photos")
        self._more(tmp_path)
        (tmp_path / "more.csv").write_text("path\n" + "".join(f"more/deep/{index}.png\n" for index in range(3)))
        assert len(_opened(tmp_path, "size: 32, unlabelled: more.csv").unlabelled) == 3

    def test_pictures_that_are_tested_on(self, tmp_path):
        _folder(tmp_path / "photos")
        self._more(tmp_path)
        name = _opened(tmp_path).test.name(0)
        Image.open(tmp_path / "photos" / name).save(tmp_path / "more" / "copy.bmp")
        (line,) = [each for each in _opened(tmp_path, "size: 32, unlabelled: more").reading.warnings if "among" in each]
        assert f"test images also among the unlabelled, such as {name} (" in line

    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("deep", "0.png: holds uint16 PNG, and the labelled pictures are uint8 PNG, 36x40; store both alike"),
            ("text", "more: holds no pictures at any depth; left out: 1 file left out: no image: .txt"),
            ("none", "no such file or folder; it should be a folder of pictures, or a list of their paths"),
        ],
    )
    def test_those_of_another_kind(self, tmp_path, kind, said):
        _folder(tmp_path / "photos")
        if kind != "none":
            (tmp_path / "more").mkdir()
        if kind == "deep":
            Image.fromarray(np.full((40, 40), 3000, np.uint16)).save(tmp_path / "more" / "0.png")
        if kind == "text":
            (tmp_path / "more" / "a.txt").write_text("x")
        message = _refused(tmp_path, "size: 32, unlabelled: more")
        assert "data.unlabelled: " in message
        assert said in message
