"""A search whose picks compute some layers with floats, decided under its limit before their tests are read."""

import json
from pathlib import Path

import pytest

from automl_kd.compression import priced
from automl_kd.hardware import load_profile
from automl_kd.recipes import load_recipe
from automl_kd.students import plan
from automl_kd.tasks import open_task

HW = "snapdragon-8-gen-3:tflite-npu-int8"
SPACE = """
search_epochs: 4
student: {family: resnet, depth: 8, width: {choice: [0.25, 0.375]}, stem: {stride: 2}}
distill: {losses: {task: {weight: 1.0}}}
train: {epochs: 2, batch_size: 128}
compress: [{stage: quantise, weights: per-tensor, keep_float: auto}]
"""


@pytest.mark.long
def test_picks_ship_with_the_layers_that_were_decided(digits_teacher, once, inside):
    asked = ("--hw", HW, "--fidelity", "none", "--max-latency", "0.11ms", "--budget", "10m")
    arguments = ("search", *asked, "--space", "space.yaml", "--workers", "1", "--study", "cam", "--device", "cpu")
    searched = once("mixed", (*arguments, "--json"), space=SPACE)
    profile, task = load_profile(HW), open_task("digits")
    assert searched.document["picks"]
    for pick in searched.document["picks"]:
        folder = Path(pick["path"])
        recipe = load_recipe(folder / "recipe.yaml")
        whole = priced(recipe.compress, plan(recipe.student, task.signature))
        assert {*whole.integers} == {True, False}
        assert profile.predict(whole).ms == pick["latency_ms"] <= 0.11
        mixed = json.loads((folder / "manifest.json").read_text())["student"]["mixed_precision"]
        assert [each["integers"] for each in mixed["layers"]] == list(whole.integers)
    where, number = searched.folder, str(searched.document["picks"][0]["trial"])
    exported = inside("export", "--study", "cam", "--pick", number, "--out", "winner", cwd=where)
    assert exported.code == 0, exported.err
    again = inside("distill", "winner/recipe.yaml", "--out", "again", "--device", "cpu", cwd=where)
    assert again.code == 0, again.err
    assert (where / "winner" / "student.onnx").read_bytes() == (where / "again" / "student.onnx").read_bytes()
