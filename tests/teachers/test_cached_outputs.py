import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from teacher_cases import CLASSES, SHAPE, small_task, trained_module
from torch import nn

from automl_kd.errors import UserError
from automl_kd.onnxio import export
from automl_kd.tasks import OnnxTeacher
from automl_kd.teachers import cached_outputs, load_teacher, module_teacher

INDEX = torch.tensor([59, 0, 7, 7, 31])


@pytest.fixture(scope="module")
def teacher():
    return module_teacher(trained_module(), SHAPE, CLASSES)


def _live(teacher, stages):
    task = small_task()
    return teacher.outputs(task.normalize(task.train.images[INDEX]), stages)


def _arrays(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npy")}


def test_rows_are_what_the_teacher_says(tmp_path, teacher):
    stages = ["stage1", "stage3"]
    rows = cached_outputs(teacher, small_task(), stages, "cache-fp32", tmp_path).rows(INDEX, stages)
    live = _live(teacher, stages)
    torch.testing.assert_close(rows.logits, live.logits, rtol=1e-6, atol=1e-6)
    for stage in stages:
        torch.testing.assert_close(rows.maps[stage], live.maps[stage], rtol=1e-6, atol=1e-6)


def test_half_precision_keeps_its_three_digits_in_half_the_space(tmp_path, teacher):
    cached_outputs(teacher, small_task(), ["stage1"], "cache-fp32", tmp_path / "full")
    half = cached_outputs(teacher, small_task(), ["stage1"], "cache-fp16", tmp_path / "half")
    rows, live = half.rows(INDEX, ["stage1"]), _live(teacher, ["stage1"])
    assert rows.logits.dtype == rows.maps["stage1"].dtype == torch.float32
    torch.testing.assert_close(rows.maps["stage1"], live.maps["stage1"], rtol=2**-11, atol=1e-7)
    assert not torch.equal(rows.maps["stage1"], live.maps["stage1"])
    full, small = (max(path.stat().st_size for path in (tmp_path / name).glob("*.npy")) for name in ("full", "half"))
    assert small < 0.51 * full


def test_what_is_there_is_not_computed_again_and_stages_are_added(tmp_path, teacher):
    cached_outputs(teacher, small_task(), ["stage1"], "cache-fp32", tmp_path)
    before = _arrays(tmp_path)
    assert len(before) == 2
    cached_outputs(teacher, small_task(), ["stage1"], "cache-fp32", tmp_path)
    assert _arrays(tmp_path) == before
    cached_outputs(teacher, small_task(), ["stage2"], "cache-fp32", tmp_path)
    after = _arrays(tmp_path)
    assert before.items() < after.items()
    assert len(after) == 3


def test_teacher_task_and_type_each_have_arrays_of_their_own(tmp_path, teacher):
    other = module_teacher(trained_module(seed=1), SHAPE, CLASSES)
    for index, (who, task, dtype) in enumerate(
        [
            (teacher, small_task(), "cache-fp32"),
            (other, small_task(), "cache-fp32"),
            (teacher, small_task(sha256="b" * 64), "cache-fp32"),
            (teacher, small_task(), "cache-fp16"),
        ],
        start=1,
    ):
        cached_outputs(who, task, [], dtype, tmp_path)
        assert len(_arrays(tmp_path)) == index


@pytest.mark.parametrize("damage", ["flip", "cut", "no checksum"])
def test_damaged_arrays_are_noticed_and_computed_again(tmp_path, teacher, damage):
    expected = cached_outputs(teacher, small_task(), [], "cache-fp32", tmp_path).rows(INDEX).logits
    (file,) = tmp_path.glob("*.npy")
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 0x40
        file.write_bytes(content)
    elif damage == "cut":
        file.write_bytes(content[:-10])
    else:
        file.with_suffix(".sha256").unlink()
    again = cached_outputs(teacher, small_task(), [], "cache-fp32", tmp_path).rows(INDEX).logits
    assert torch.equal(again, expected)


def test_an_interrupted_computation_leaves_nothing_behind(tmp_path):
    class Huge(nn.Module):
        def forward(self, images):
            return images.flatten(1)[:, :3] * 1e7

    teacher = module_teacher(Huge(), SHAPE, CLASSES)
    with pytest.raises(UserError, match=r"the teacher's logits reach .*, which float16 cannot hold"):
        cached_outputs(teacher, small_task(), [], "cache-fp16", tmp_path)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


_BUILD = """
import sys, torch
from pathlib import Path
from test_cached_outputs import build
torch.set_num_threads(int(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
print(build(Path(sys.argv[1])))
"""


def build(folder):
    teacher = module_teacher(trained_module(), SHAPE, CLASSES)
    rows = cached_outputs(teacher, small_task(), ["stage1"], "cache-fp32", folder).rows(torch.arange(60), ["stage1"])
    return float(rows.logits.double().sum()), float(rows.maps["stage1"].double().sum())


def test_two_processes_build_the_same_cache_at_once(tmp_path):
    here = Path(__file__).parent
    other = subprocess.Popen(
        [sys.executable, "-c", _BUILD, str(tmp_path), str(torch.get_num_threads())],
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
    assert len(_arrays(tmp_path)) == 2
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


_HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


def test_a_killed_holder_does_not_keep_the_lock(tmp_path, teacher):
    lock = tmp_path / f"{teacher.sha256}.lock"
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    assert cached_outputs(teacher, small_task(), [], "cache-fp32", tmp_path).rows(INDEX).logits.shape == (5, CLASSES)


def test_an_onnx_teacher_is_cached_too(tmp_path):
    export(trained_module(), tmp_path / "t.onnx", input_shape=SHAPE)
    teacher = load_teacher(OnnxTeacher(onnx=str(tmp_path / "t.onnx")), small_task())
    rows = cached_outputs(teacher, small_task(), [], "cache-fp32", tmp_path).rows(INDEX)
    np.testing.assert_allclose(rows.logits, _live(teacher, []).logits, rtol=1e-5, atol=1e-6)
    with pytest.raises(UserError, match="unknown teacher stage 'stage1'; known: none"):
        cached_outputs(teacher, small_task(), ["stage1"], "cache-fp32", tmp_path)
