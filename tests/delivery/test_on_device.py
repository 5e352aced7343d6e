"""The file that a device loads is made beside the student's, and compared with it before it is called made."""

from pathlib import Path

import pytest
import torch

from automl_kd.compression import write
from automl_kd.delivery import on_device as room
from automl_kd.delivery.on_device import on_device
from automl_kd.distillation import material_of
from automl_kd.hardware import load_profile
from automl_kd.onnxio import TFLITE, export
from automl_kd.recipes import Recipe
from automl_kd.students import build
from automl_kd.tasks import open_task

pytest.importorskip("ai_edge_litert")
STUDENT = {"family": "resnet", "depth": 8, "width": 0.5}


@pytest.fixture
def task():
    return open_task("digits")


def written(task, folder: Path, seed: int, moved: float = 0.0) -> Path:
    """The quantised file of a student of random weights, one of whose logits hardly differs between examples."""
    recipe = Recipe.model_validate({"student": STUDENT, "train": {"epochs": 1}, "compress": [{"stage": "quantise"}]})
    torch.manual_seed(seed)
    folder.mkdir()
    path, built = folder / "student.onnx", build(recipe.student, task.signature).eval()
    with torch.no_grad():
        built.get_parameter("head.0.linear.weight")[3] *= 0.001
        built.get_parameter("head.0.linear.bias")[3] += moved
    write(recipe.compress, built, material_of(task, 0), path, opset=None)
    return path


def test_a_converted_file_is_beside_the_student_with_how_far_it_agrees(task, tmp_path):
    student = written(task, tmp_path / "winner", 0)
    loads = load_profile("coral-edgetpu").target.loads
    assert loads is not None
    made = on_device(loads, student, "student.float.onnx", task)
    assert made.converted is not None, made.missing
    assert made.converted.size == (tmp_path / "winner" / TFLITE).stat().st_size
    assert made.converted.equal is not None
    assert made.converted.equal > 0.9
    assert made.document()["converted"]["examples"] == 497


def test_of_a_student_in_floats_no_integers_are_made_nor_told_how(task, tmp_path):
    student = export(build(STUDENT, task.signature).eval(), tmp_path / "student.onnx", task.signature, 17)
    for device, commands in (("coral-edgetpu", 0), ("nvidia-t4", 1)):
        loads = load_profile(device).target.loads
        assert loads is not None
        made = on_device(loads, student, "student.onnx", task)
        assert len(made.commands) == commands
        assert not any("--int8" in command for command in made.commands)
        assert made.missing == ("" if commands else "student.onnx computes with floats")


def test_a_file_that_answers_otherwise_is_not_shipped(task, tmp_path, monkeypatch):
    student, other = (written(task, tmp_path / name, seed) for seed, name in enumerate(("winner", "other")))
    convert = room.to_tflite
    monkeypatch.setattr(room, "to_tflite", lambda source, target: convert(other, target))
    loads = load_profile("coral-edgetpu").target.loads
    assert loads is not None
    made = on_device(loads, student, "student.float.onnx", task)
    assert made.converted is None
    assert made.missing.startswith("student.tflite answers otherwise than student.onnx, by ")
    assert not (tmp_path / "winner" / TFLITE).exists()
    assert made.commands == (), "they would make that file"


def test_a_class_whose_logit_hardly_differs_counts_as_the_others_do(task, tmp_path, monkeypatch):
    student = written(task, tmp_path / "winner", 0)
    other = written(task, tmp_path / "other", 0, moved=0.003)  # a step
    convert = room.to_tflite
    monkeypatch.setattr(room, "to_tflite", lambda source, target: convert(other, target))
    loads = load_profile("coral-edgetpu").target.loads
    assert loads is not None
    made = on_device(loads, student, "student.float.onnx", task)
    assert made.converted is not None, made.missing
    assert 0 < made.converted.difference < 0.02
