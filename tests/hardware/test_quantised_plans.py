"""A plan of integers costs what the file of it costs, block by block, and what the target makes of the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import nets
import pytest
import torch
from torch import nn

from automl_kd.compression import Material, priced, write
from automl_kd.core import Input, Signature, UserError
from automl_kd.hardware import QuantisedForm, load_profile
from automl_kd.hardware.measurement.network_file import write_network
from automl_kd.hardware.profile import Profile
from automl_kd.hardware.profile_file import read_profile, write_profile
from automl_kd.recipes import Recipe
from automl_kd.students import Block, build

SIGNATURE = Signature.of_images((3, 32, 32), 10)
STUDENTS = {
    "resnet": {"family": "resnet", "depth": 8, "width": 0.5},
    "mobilenet": {"family": "mobilenet", "stages": [{"depth": 2, "expand": 3, "squeeze_excite": True}]},
}
QUANTISED = nets.ChainPlan(nets.plan(8, 16, 24).blocks, weight_bytes=1, integers=(True,) * 4, per_channel=True)


def kept(*places):
    return replace(QUANTISED, integers=tuple(place not in places for place in range(4)))


def examples(count):
    yield SIGNATURE.input.noise(count, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("family", "kept"), [("resnet", ["first", "stage1", "last"]), ("mobilenet", [])])
def test_a_plan_is_priced_as_the_file_that_ships(family, kept, tmp_path):
    part = {"stage": "quantise", "keep_float": kept, "examples": 16}
    recipe = Recipe.model_validate({"student": STUDENTS[family], "train": {"epochs": 1}, "compress": [part]})
    student = build(recipe.student, SIGNATURE).eval()
    write(recipe.compress, student, Material(SIGNATURE, 64, examples), tmp_path / "net.onnx", None)
    # A server with kernels of integers beside floats, a GPU without, an accelerator of integers.
    for hw in ("x86-server:onnxruntime", "jetson-nano", *(() if kept else ("coral-edgetpu",))):
        profile = load_profile(hw)
        file, said = profile.predict(tmp_path / "net.onnx"), profile.predict(priced(recipe.compress, student.plan))
        assert said.ms == pytest.approx(file.ms, rel=0.03)
        assert said.memory_bytes == pytest.approx(file.memory_bytes, rel=0.03)


def test_a_quantised_file_has_the_kernels_that_its_module_is_priced_by(tmp_path):
    """Without which a calibration on files would say nothing of plans."""
    part = Recipe.model_validate({"student": STUDENTS["mobilenet"], "train": {"epochs": 1}}).student
    student = build(part, SIGNATURE).eval()
    profile = load_profile("local:onnxruntime-int8")
    path = write_network(student, tmp_path / "net.onnx", Input.of_images((3, 32, 32)), profile.target)
    file, module = profile.network(path), profile.network(student, (3, 32, 32))
    assert sorted((k.kind, k.operations, k.read, k.written) for k in file.kernels) == sorted(
        (k.kind, k.operations, k.read, k.written) for k in module.kernels
    )
    assert any(kernel.speed is not None for kernel in file.kernels)


def test_what_is_kept_is_priced_as_floats_of_the_same_device():
    integers, floats = load_profile("raspberry-pi-4:ncnn-int8"), load_profile("raspberry-pi-4:ncnn")
    whole = nets.plan(8, 16, 24)
    every, some, none = integers.price([QUANTISED, kept(0, 3), kept(0, 1, 2, 3)])
    assert every.ms == integers.price([whole])[0].ms
    assert replace(none, energy_mj=None) == replace(floats.price([whole])[0], energy_mj=None)
    assert every.memory_bytes < some.memory_bytes < none.memory_bytes
    assert none.size_bytes == 4 * every.size_bytes == 4 * every.params
    ends = floats.price([replace(whole, blocks=whole.blocks[:1]), replace(whole, blocks=whole.blocks[3:])])
    assert some.size_bytes == every.params + 3 * sum(each.params for each in ends)
    assert some.low < some.ms < some.high


@dataclass(frozen=True)
class Nothing(Block):
    """A block that computes nothing."""

    @property
    def output_shape(self):
        return self.input_shape

    def build(self):
        return nn.Identity()


@pytest.mark.parametrize(
    "hw", ["raspberry-pi-4:ncnn-int8", pytest.param("local:onnxruntime-int8", marks=pytest.mark.long)]
)
def test_a_block_that_computes_nothing_costs_nothing(hw):
    first, *rest = QUANTISED.blocks
    shape = rest[0].input_shape
    more = replace(QUANTISED, blocks=(first, Nothing(shape), *rest), integers=(True, False, True, True, True))
    profile = load_profile(hw)
    (without,), (found,) = profile.price([QUANTISED]), profile.price([more])
    assert 0 < found.low < found.ms < found.high < 2 * without.high


@pytest.mark.parametrize(
    ("places", "conversions"), [((), 2), ((1,), 4), ((0,), 2), ((0, 1), 2), ((0, 3), 2), ((0, 2), 4)]
)
def test_there_is_a_conversion_at_every_border(places, conversions):
    """Of these blocks nothing else is elementwise."""
    parts = load_profile("x86-server:onnxruntime").explain(kept(*places)).parts
    assert [part.kernels for part in parts if part.name == "elementwise"] == [conversions]


@pytest.mark.parametrize(
    ("hw", "asked", "said"),
    [
        ("coral-edgetpu", kept(0), "coral-edgetpu runs integers alone"),
        ("rb3-gen-2:onnxruntime-int8", kept(0), r"prices no floats \(integers\.floats\)"),
        (
            "raspberry-pi-4:ncnn-int8",
            replace(QUANTISED, per_channel=False),
            "weights: raspberry-pi-4:ncnn-int8 loads no per-tensor weights",
        ),
    ],
)
def test_what_a_runtime_does_not_load_is_refused_in_one_line(hw, asked, said):
    with pytest.raises(UserError, match=said) as refused:
        load_profile(hw).price([asked])
    assert "\n" not in str(refused.value)
    assert load_profile(hw).unfit(QuantisedForm("per-channel")) is None


def test_another_scheme_takes_so_many_times_as_long_as_was_measured(tmp_path):
    profile = load_profile("pixel-4:tflite-int8")
    assert profile.target.integers is not None
    slower = profile.target.integers.model_copy(update={"slower": {"per-tensor": 2.5}})
    target = profile.target.model_copy(update={"integers": slower})
    file = profile.file.model_copy(update={"targets": profile.file.targets | {"tflite-int8": target}})
    by_channel, by_tensor = Profile("p", file, "tflite-int8").price([QUANTISED, replace(QUANTISED, per_channel=False)])
    assert by_tensor.ms == pytest.approx(2.5 * by_channel.ms)


def test_a_profile_whose_layers_are_kept_by_no_target_is_refused(tmp_path):
    profile = load_profile("pixel-4:tflite-int8")
    assert profile.target.integers is not None
    wrong = profile.target.model_copy(
        update={"integers": profile.target.integers.model_copy(update={"floats": "tflite-int8"})}
    )
    path = tmp_path / "mine.yaml"
    write_profile(path, profile.file.model_copy(update={"targets": profile.file.targets | {"tflite-int8": wrong}}))
    with pytest.raises(UserError, match=r"targets\.tflite-int8\.integers\.unknown floats"):
        read_profile(path)


def test_a_refitted_target_keeps_what_prices_its_kept_layers(tmp_path):
    with_fit = load_profile("raspberry-pi-4:ncnn-int8")
    saved = with_fit.with_fit(with_fit.target.fit, "mine")
    saved.save(tmp_path / "mine.yaml")
    again = load_profile(str(tmp_path / "mine.yaml"))
    assert again.price([kept(1)]) == with_fit.price([kept(1)])
