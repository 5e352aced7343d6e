"""``hw calibrate`` as a user runs it: on results of a device whose rules are known, and on results that fit none."""

from __future__ import annotations

import json
import math
import random

import pytest
import torch
from torch import nn

from automl_kd.core import Input
from automl_kd.hardware import Profile, load_profile
from automl_kd.hardware.profile_file import Execution
from automl_kd.onnxio import export

NETWORKS = 8


class Branches(nn.Module):
    """A convolution, an activation that is computed twice, and a branch that is multiplied by zero."""

    def __init__(self, width, zeros):
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1)
        self.none = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(zeros))

    def forward(self, x):
        out = self.convolution(torch.relu(x))
        for branch in self.none:
            out = out + branch(torch.relu(x)) * 0.0
        return out


def network(number):
    draw = random.Random(number)
    width, blocks = draw.choice((8, 16, 32)), draw.randint(2, 6)
    body = [Branches(width, draw.randint(0, 2)) for _ in range(blocks)]
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), *body, nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.fixture(scope="module")
def truth():
    """A Jetson Nano that executes what TensorRT folds away, launches on top, and is nine times as slow."""
    nano = load_profile("jetson-nano")
    execution = Execution(zeros="keep", dead="drop", error=0.0, given_error=0.0, sure={})
    target = nano.target.model_copy(update={"execution": execution, "queued": False})
    return Profile("truth", nano.file.model_copy(update={"targets": {nano.file.default: target}}))


@pytest.fixture(scope="module")
def kit(command, truth, tmp_path_factory):
    """A kit of such networks beside those of a space."""
    folder = tmp_path_factory.mktemp("calibrate")
    files = []
    for number in range(NETWORKS):
        path = folder / f"own-{number}.onnx"
        pixels = (16, 32, 64, 128)[number % 4]
        files.append(str(export(network(number).eval(), path, Input.of_images((3, pixels, pixels)), truth.opset).name))
    made = command("hw", "kit", *files, "--hw", "jetson-nano", "-n", "5", "--out", "kit", "--json", cwd=folder)
    assert made.code == 0, made.err
    return folder / "kit"


def results(kit, ms, **target):
    """What ``measure.py`` would have written."""
    listed = json.loads((kit / "kit.json").read_text())
    header = {"automl_kd_results": 1, "target": listed["target"] | target, "runtime_version": "8.2", "device": {}}
    lines = [header]
    for number in range(3):
        for model in listed["models"]:
            time = ms(model)
            visit = {"model": model["name"], "sha256": model["sha256"], "round": number, "runs": 30}
            lines.append(visit | {"min": time, "p10": time, "median": time})
    lines.append({"rounds": 3})
    path = kit / "results.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def taken(kit, truth):
    """Nine times what the device takes, within some per cent."""

    def taken(model):
        return 9 * truth.predict(kit / model["file"]).ms * math.exp(random.Random(model["name"]).gauss(0, 0.01))

    return taken


@pytest.fixture
def calibrate(inside, kit):
    def calibrate(name, *more):
        return inside("hw", "calibrate", "--from", "kit/results.jsonl", "--name", name, *more, cwd=kit.parent)

    return calibrate


def test_the_rules_of_the_device_are_chosen_said_and_kept(calibrate, kit, taken, inside):
    results(kit, taken)
    document = calibrate("mine", "--json").document
    rules = document["rules"]
    assert (rules["zeros"]["chosen"], rules["zeros"]["given"]) == ("keep", "fold")
    assert (rules["queued"]["chosen"], rules["queued"]["given"]) == (False, True)
    assert rules["zeros"]["sure"] > 0.9
    assert rules["error"] < rules["given_error"] / 2
    said = calibrate("again")
    assert said.code == 0, said.err
    (line,) = [line for line in said.out.splitlines() if line.startswith("rules: ")]
    assert "branches of zeros executed" in line
    assert "launches summed" in line
    assert "under the profile's own rules" in line
    shown = inside("hw", "show", "mine", "--json", cwd=kit.parent).document
    assert shown["target"]["execution"]["zeros"] == "keep"
    assert shown["target"]["queued"] is False


def refused(ended):
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    return ended.err


def test_a_time_that_contradicts_the_others_is_one_line_with_its_network(calibrate, kit, taken):
    results(kit, lambda model: taken(model) * (12 if model["name"] == "own-3" else 1))
    assert "the times fit no rule" in (said := refused(calibrate("never")))
    assert "own-3 took" in said


@pytest.mark.parametrize(
    ("precision", "said"),
    [
        ("int8", "precision int8, not fp16; this device has targets in fp16, fp32"),
        ("fp32", "precision fp32, not fp16; that is target tensorrt-fp32 of this device"),
    ],
)
def test_a_precision_that_the_target_does_not_have_is_one_line(calibrate, kit, taken, precision, said):
    results(kit, taken, precision=precision)
    assert said in refused(calibrate("never"))


def test_a_target_in_a_precision_that_the_device_does_not_have_is_one_line(inside, tmp_path):
    said = refused(inside("hw", "kit", "--hw", "jetson-nano:tensorrt-int8", cwd=tmp_path))
    assert "jetson-nano has no target in int8; it has fp16, fp32: tensorrt, " in said
