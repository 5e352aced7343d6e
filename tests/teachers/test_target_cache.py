import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from teacher_cases import CLASSES, SHAPE, SIGNATURE, small_task, trained_module
from torch import nn

from automl_kd.core import Input, Signature, UserError
from automl_kd.onnxio import export
from automl_kd.teachers import MultiTeacher, OnnxTeacher, TargetCache, load_teacher, module_teacher

INDEX = torch.tensor([59, 0, 7, 7, 31])
STAGES = ("stage1", "stage3")
VARYING = ("resized_crop", "flip", "rand_augment", "color_jitter", "crop", "erase")


def _of(names, seed):
    return small_task().modality.views(60, names, seed)


PLAIN = _of((), 0)
LOGITS = 60 * CLASSES * 4  # bytes of one view


@pytest.fixture(scope="module")
def teacher():
    return module_teacher(trained_module(), SIGNATURE)


def _views(seed=7):
    return _of(("crop", "flip"), seed)


def _live(teacher, stages=(), views=PLAIN, number=0, index=INDEX):
    task = small_task()
    return teacher.outputs(views.of(task.train.inputs[index], index, number), stages)


def _cache(teacher, folder, views=PLAIN, numbers=(0,), stages=(), kind="cache-fp32", task=None, **limit):
    return TargetCache(teacher, task or small_task(), views, numbers, stages, kind, folder, **limit)


def _arrays(folder):
    return {path.name: path.stat().st_ino for path in folder.rglob("*.npy")}


@pytest.mark.parametrize("views", [PLAIN, _views(), _of(VARYING, 7)], ids=["plain", "crop and flip", "all"])
@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [
        ("cache-fp32", {"rtol": 1e-6, "atol": 1e-6}),
        ("cache-fp16", {"rtol": 2**-11 + 1e-6, "atol": 1e-6}),
        ("cache-top16", {"rtol": 2**-11 + 1e-6, "atol": 1e-6}),  # three classes: all are kept
    ],
)
def test_rows_are_what_the_teacher_says_of_the_view_to_the_stored_precision(tmp_path, teacher, views, kind, tolerance):
    cache = _cache(teacher, tmp_path, views, range(3), STAGES, kind)
    for number in (0, 2, 1, 2):
        rows, live = cache.rows(INDEX, number, STAGES), _live(teacher, STAGES, views, number)
        assert rows.logits.dtype == torch.float32
        torch.testing.assert_close(rows.logits, live.logits, **tolerance)
        assert rows.maps.keys() == set(STAGES)
        for stage in STAGES:
            torch.testing.assert_close(rows.maps[stage], live.maps[stage], **tolerance)
    if views is not PLAIN:
        assert not torch.allclose(cache.rows(INDEX, 0).logits, cache.rows(INDEX, 1).logits, rtol=1e-2)


def test_half_precision_takes_half_the_space(tmp_path, teacher):
    for kind in ("cache-fp32", "cache-fp16"):
        _cache(teacher, tmp_path / kind, stages=["stage1"], kind=kind).rows(INDEX, 0, ["stage1"])
    full, half = (
        max(path.stat().st_size for path in (tmp_path / kind).rglob("*.npy")) for kind in ("cache-fp32", "cache-fp16")
    )
    assert half < 0.51 * full


def test_a_view_of_the_images_as_they_are_is_computed_once_whatever_its_number_and_seed(tmp_path, teacher):
    _cache(teacher, tmp_path, PLAIN, range(5)).rows(INDEX, 0)
    before = _arrays(tmp_path)
    _cache(teacher, tmp_path, _of(("mixup",), 3), range(5)).rows(INDEX, 4)
    assert _arrays(tmp_path) == before


def test_what_is_there_is_not_computed_again_and_stages_and_views_are_added(tmp_path, teacher):
    def files_after(numbers, stages):
        cache = _cache(teacher, tmp_path, _views(), range(3), stages)
        for number in numbers:
            cache.rows(INDEX, number, stages)
        return _arrays(tmp_path)

    first = files_after([0], ["stage1"])
    assert len(first) == 2
    assert files_after([0, 0], ["stage1"]) == first
    second = files_after([0], ["stage2"])
    third = files_after([0, 1], ["stage1"])
    assert first.items() < second.items() < third.items()
    assert (len(second), len(third)) == (3, 5)


def test_teacher_task_view_seed_form_and_threads_each_have_arrays_of_their_own(tmp_path, teacher):
    other = module_teacher(trained_module(seed=1), SIGNATURE)
    for count, (who, task, views, number, kind) in enumerate(
        [
            (teacher, small_task(), _views(), 0, "cache-fp32"),
            (other, small_task(), _views(), 0, "cache-fp32"),
            (teacher, small_task(sha256="b" * 64), _views(), 0, "cache-fp32"),
            (teacher, small_task(), _views(8), 0, "cache-fp32"),
            (teacher, small_task(), _of(("flip",), 7), 0, "cache-fp32"),
            (teacher, small_task(), _views(), 1, "cache-fp32"),
            (teacher, small_task(), _views(), 0, "cache-fp16"),
        ],
        start=1,
    ):
        _cache(who, tmp_path, views, [number], kind=kind, task=task).rows(INDEX, number)
        assert len(_arrays(tmp_path)) == count
    torch.set_num_threads(2)
    _cache(teacher, tmp_path, _views()).rows(INDEX, 0)
    assert len(_arrays(tmp_path)) == count + 1


@pytest.mark.parametrize("damage", ["flip", "cut", "no checksum", "of another teacher"])
def test_arrays_that_are_not_what_was_written_are_computed_again(tmp_path, teacher, damage):
    _cache(teacher, tmp_path, _views()).rows(INDEX, 0)
    (file,) = tmp_path.rglob("*.npy")
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 0x40
        file.write_bytes(content)
    elif damage == "cut":
        file.write_bytes(content[:-10])
    elif damage == "no checksum":
        file.with_suffix(".sha256").unlink()
    else:
        other = module_teacher(trained_module(seed=1), SIGNATURE)
        _cache(other, tmp_path / "other", _views()).rows(INDEX, 0)
        (theirs,) = (tmp_path / "other").rglob("*.npy")
        file.write_bytes(theirs.read_bytes())
        file.with_suffix(".sha256").write_bytes(theirs.with_suffix(".sha256").read_bytes())
    rows = _cache(teacher, tmp_path, _views()).rows(INDEX, 0)
    torch.testing.assert_close(rows.logits, _live(teacher, (), _views()).logits, rtol=1e-6, atol=1e-6)


def test_a_folder_is_shared_by_teachers_but_the_part_of_another_is_refused(tmp_path, teacher):
    other = module_teacher(trained_module(seed=1), SIGNATURE)
    for who in (teacher, other):
        _cache(who, tmp_path).rows(INDEX, 0)
    before = _arrays(tmp_path)
    _cache(teacher, tmp_path / teacher.sha256).rows(INDEX, 0)
    assert _arrays(tmp_path) == before
    ours, theirs = teacher.sha256[:12], other.sha256[:12]
    with pytest.raises(UserError, match=f"of teacher {theirs} and nothing for teacher {ours}"):
        _cache(teacher, tmp_path / other.sha256)
    (tmp_path / other.sha256).rename(tmp_path / "mine")
    with pytest.raises(UserError, match=rf"mine: .* {theirs} .*: name the folder above it, {tmp_path}, or"):
        _cache(teacher, tmp_path / "mine")
    (tmp_path / "mine").rename(tmp_path / "new")
    (tmp_path / teacher.sha256).rename(tmp_path / other.sha256)
    with pytest.raises(UserError, match=f"of teacher {ours} and nothing for teacher {theirs}"):
        _cache(other, tmp_path)


@pytest.mark.parametrize("kind", ["cache-fp16", "cache-top16"])
def test_an_interrupted_computation_leaves_no_array_behind(tmp_path, kind):
    class Huge(nn.Module):
        def forward(self, images):
            return images.flatten(1)[:, :20] * 1e7

    teacher = module_teacher(Huge(), Signature.of_images(SHAPE, 20))
    with pytest.raises(UserError, match=r"the teacher's logits reach .*, which float16 cannot hold; use cache-fp32"):
        _cache(teacher, tmp_path, kind=kind).rows(INDEX, 0)
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"] == [""]


def test_only_announced_views_are_asked_for(tmp_path, teacher):
    cache = _cache(teacher, tmp_path, _views(), [0, 1])
    with pytest.raises(ValueError, match="view 2 of logits was not announced"):
        cache.rows(INDEX, 2)
    with pytest.raises(UserError, match="unknown teacher stage 'stage9'"):
        _cache(teacher, tmp_path, stages=["stage9"])


class TestBound:
    def test_a_run_that_needs_more_is_refused_with_both_sizes(self, tmp_path, teacher):
        _cache(teacher, tmp_path, _views(), range(3), limit_bytes=3 * LOGITS)
        with pytest.raises(
            UserError, match=r"4 views .* take 2\.88e-06 GB as cache-fp32 .* may hold 2\.16e-06 GB: .*live"
        ):
            _cache(teacher, tmp_path, _views(), range(4), limit_bytes=3 * LOGITS)
        _cache(teacher, tmp_path, _views(), range(4), kind="cache-fp16", limit_bytes=3 * LOGITS)
        _cache(teacher, tmp_path, PLAIN, range(4), limit_bytes=LOGITS)  # one view, whatever its number
        assert _arrays(tmp_path) == {}

    def test_what_was_used_longest_ago_goes_first(self, tmp_path, teacher):
        room = 3 * (LOGITS + 200)  # three files with their headers
        made = [self._made(teacher, tmp_path, seed, room) for seed in (1, 2, 3)]
        self._made(teacher, tmp_path, 1, room)  # used again: 2 is now the oldest
        fourth = self._made(teacher, tmp_path, 4, room)
        assert _arrays(tmp_path).keys() == {made[0], made[2], fourth}
        fifth = self._made(teacher, tmp_path, 5, room)
        assert _arrays(tmp_path).keys() == {made[0], fourth, fifth}
        assert len(list(tmp_path.rglob("*.sha256"))) == 3

    def test_views_that_the_run_needs_stay_even_if_others_were_used_later(self, tmp_path, teacher):
        room = 3 * (LOGITS + 200)
        ours = _cache(teacher, tmp_path, _views(), range(3), limit_bytes=room)
        ours.rows(INDEX, 0)
        before = _arrays(tmp_path)
        self._made(teacher, tmp_path, 1, room)
        self._made(teacher, tmp_path, 2, room)
        ours.rows(INDEX, 1)
        ours.rows(INDEX, 2)
        after = _arrays(tmp_path)
        assert before.items() < after.items()
        assert len(after) == 3
        for number in range(3):
            live = _live(teacher, (), _views(), number).logits
            torch.testing.assert_close(ours.rows(INDEX, number).logits, live, rtol=1e-6, atol=1e-6)
        assert _arrays(tmp_path) == after

    def test_a_run_whose_open_view_was_taken_reads_on_and_computes_it_anew_when_it_comes_back(self, tmp_path, teacher):
        ours = _cache(teacher, tmp_path, _views(), range(2))
        expected = ours.rows(INDEX, 0).logits
        self._made(teacher, tmp_path, 1, LOGITS)
        assert len(_arrays(tmp_path)) == 1
        assert torch.equal(ours.rows(INDEX, 0).logits, expected)
        ours.rows(INDEX, 1)
        assert torch.equal(ours.rows(INDEX, 0).logits, expected)
        assert len(_arrays(tmp_path)) == 3

    def test_what_a_killed_process_left_is_cleared(self, tmp_path, teacher):
        left = tmp_path / teacher.sha256 / ".abc.npy.x1y2"
        left.parent.mkdir()
        left.write_bytes(b"half")
        _cache(teacher, tmp_path).rows(INDEX, 0)
        assert not left.exists()

    def _made(self, teacher, folder, seed, limit):
        before = _arrays(folder)
        _cache(teacher, folder, _views(seed), limit_bytes=limit).rows(INDEX, 0)
        return next(iter(_arrays(folder).keys() - before.keys()), None)


_BUILD = """
import sys, torch
from pathlib import Path
from test_target_cache import build
torch.set_num_threads(1)
print("ready", flush=True)
sys.stdin.readline()
print(build(Path(sys.argv[1])))
"""


class _Counting(nn.Module):
    """Slow enough to be overtaken; writes down how many images each call had."""

    def __init__(self, log):
        super().__init__()
        self.inner = trained_module()
        self.log = log

    def forward(self, images):
        with open(self.log, "a") as file:
            file.write(f"{len(images)}\n")
        time.sleep(0.1)
        return self.inner(images)


def build(folder):
    teacher = module_teacher(_Counting(folder / "log"), SIGNATURE)
    stages = teacher.stage_names()[:1]
    cache = _cache(teacher, folder / "cache", _views(), range(3), stages)
    rows = [cache.rows(torch.arange(60), number, stages) for number in range(3)]
    return [(float(row.logits.double().sum()), float(row.maps[stages[0]].double().sum())) for row in rows]


def test_two_processes_at_once_compute_every_view_once(tmp_path):
    here = Path(__file__).parent
    other = subprocess.Popen(
        [sys.executable, "-c", _BUILD, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout.readline() == "ready\n"
    other.stdin.write("go\n")
    other.stdin.flush()
    ours = build(tmp_path)
    theirs, _ = other.communicate(timeout=60)
    assert other.returncode == 0
    assert theirs.strip() == str(ours)
    assert (tmp_path / "log").read_text().split().count("60") == 3
    assert len(_arrays(tmp_path)) == 6
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


_HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


def test_a_killed_holder_does_not_keep_the_lock(tmp_path, teacher):
    lock = str(tmp_path / "lock")
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, lock], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    assert _cache(teacher, tmp_path).rows(INDEX, 0).logits.shape == (5, CLASSES)


def test_an_onnx_teacher_is_cached_too(tmp_path):
    export(trained_module(), tmp_path / "t.onnx", Input.of_images(SHAPE))
    teacher = load_teacher(OnnxTeacher(onnx=str(tmp_path / "t.onnx")), small_task())
    rows = _cache(teacher, tmp_path, _views()).rows(INDEX, 0)
    np.testing.assert_allclose(rows.logits, _live(teacher, (), _views()).logits, rtol=1e-5, atol=1e-6)
    with pytest.raises(UserError, match=r"t\.onnx gives outputs only; no loss can use its stage 'stage1'"):
        _cache(teacher, tmp_path, stages=["stage1"])


@pytest.mark.parametrize("kind", ["cache-fp32", "cache-top16"])
def test_several_teachers_and_any_layer_are_cached_too(tmp_path, teacher, kind):
    several = MultiTeacher([teacher, module_teacher(trained_module(seed=1), SIGNATURE)])
    stages = ["stem.0.0", "2:stage3"]
    rows = _cache(several, tmp_path, stages=stages, kind=kind).rows(INDEX, 0, stages)
    live = _live(several, stages)
    assert rows.logits.shape == (len(INDEX), 2, CLASSES)
    torch.testing.assert_close(rows.logits, live.logits, rtol=1e-3, atol=1e-5)
    for stage in stages:
        torch.testing.assert_close(rows.maps[stage], live.maps[stage], rtol=1e-3, atol=1e-5)
    with pytest.raises(UserError, match="unknown teacher stage 'stage9'; stages: stage1, stage2, stage3"):
        _cache(several, tmp_path, stages=["2:stage9"])
