"""The devices that come with the project, and what is said of a file that is wrong."""

from __future__ import annotations

import copy
from collections import Counter

import pytest
from ruamel.yaml import YAML

from automl_kd.core import UserError, shipped_dir
from automl_kd.hardware import load_profile
from automl_kd.hardware.datasheet import Fact
from automl_kd.hardware.kernels.rules import runtimes
from automl_kd.hardware.profile_file import read_profile

NAMES = [
    *("jetson-nano", "jetson-tx2", "jetson-xavier-nx", "jetson-agx-xavier", "jetson-orin-nano", "jetson-agx-orin"),
    *("raspberry-pi-4", "raspberry-pi-5", "coral-edgetpu", "pixel-4", "snapdragon-855", "apple-m1", "hailo-8"),
    *("stm32h743", "nvidia-t4", "nvidia-a100", "x86-server", "local"),
    *("snapdragon-8-gen-3", "snapdragon-8-elite", "snapdragon-8-elite-gen-5", "snapdragon-7-gen-4", "rb3-gen-2"),
    *("dragonwing-iq-9075", "dragonwing-q-6690", "qcs8275", "qcs8450", "sa8295p", "sa8775p"),
]
FILES = {path.stem: path for path in shipped_dir("hardware_profiles").glob("*.yaml")}


def facts_in(part):
    for value in (getattr(part, name) for name in type(part).model_fields):
        if isinstance(value, Fact):
            yield value


def test_every_promised_device_has_a_file():
    assert set(FILES) >= set(NAMES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_shipped_file_is_valid_and_every_fact_has_its_source(name):
    file = read_profile(FILES[name])
    assert file.default in file.targets
    facts = [*facts_in(file.memory), *(fact for target in file.targets.values() for fact in facts_in(target.facts))]
    assert all(fact.source.strip() for fact in facts)
    for target in file.targets.values():
        assert target.runtime in runtimes()
        assert target.precision in file.precisions
        assert target.prior.intercept > 0
        commands = target.loads.made_by("student.float.onnx", "input", (3, 32, 24))
        assert target.loads.source.strip()
        assert not any(sign in command for command in commands for sign in "{}")
        # An operation a byte is the least that any processor does; 2,000 the most that any of these does.
        assert 0.5 <= target.facts.peak_gflops.value / target.facts.bandwidth_gb_s.value <= 2000


def test_commands_name_the_files_and_sizes_of_a_delivery():
    trt, ncnn, own = (load_profile(name).target.loads for name in ("nvidia-t4", "raspberry-pi-4:ncnn-int8", "hailo-8"))
    (command,) = trt.made_by("student.onnx", "ids", (12,))
    assert "--onnx=student.onnx --shapes=ids:1x12 --fp16" in command
    (integers,) = trt.made_by("student.float.onnx", "ids", (12,), quantised=True)
    assert "--onnx=student.onnx --shapes=ids:1x12 --int8 --fp16" in integers
    pnnx, table, _ = ncnn.made_by("student.float.onnx", "input", (3, 32, 24))
    assert pnnx.startswith("pnnx student.float.onnx 'inputshape=[1,3,32,24]f32' ")
    assert ncnn.made_by("student.onnx", "ids", (12,), ids=True)[0].startswith(
        "pnnx student.onnx 'inputshape=[1,12]i64' "
    )
    assert "shape=[24,32,3]" in table
    assert own.name == "student.hef", "a device's own file comes before the usual one of its runtime"


def test_no_two_targets_stand_for_the_same_way_to_run_a_network():
    keys = Counter(
        (name, t.runtime, t.runtime_version, t.precision, t.batch, t.threads, t.power_mode)
        for name, path in FILES.items()
        for t in read_profile(path).targets.values()
    )
    assert [key for key, count in keys.items() if count > 1] == []


def test_lower_precision_is_never_slower_on_paper():
    width = {"fp32": 4, "fp16": 2, "w8a16": 1.5, "int8": 1}
    for path in FILES.values():
        ways = read_profile(path).targets.values()
        for one in ways:
            for other in ways:
                same = (one.runtime, one.threads, one.power_mode) == (other.runtime, other.threads, other.power_mode)
                if same and width[one.precision] < width[other.precision]:
                    assert one.facts.peak_gflops.value >= other.facts.peak_gflops.value, path


def test_the_limits_that_bind_on_small_devices():
    microcontroller = read_profile(FILES["stm32h743"]).memory
    assert (microcontroller.sram_kb.value, microcontroller.flash_kb.value) == (512, 2048)
    coral = read_profile(FILES["coral-edgetpu"]).memory
    assert 0 < coral.weight_cache_mb.value <= 8
    assert coral.stream_gb_s.value < 1
    assert read_profile(FILES["jetson-nano"]).targets["tensorrt"].opset == 13


DOCUMENT = {
    "device": "toy",
    "precisions": ["fp32", "int8"],
    "default": "cpu",
    "memory": {"ram_gb": {"value": 1, "source": "datasheet"}},
    "targets": {
        "cpu": {
            "runtime": "ncnn",
            "runtime_version": "1",
            "precision": "fp32",
            "power_mode": "default",
            "queued": False,
            "opset": 17,
            "facts": {
                "peak_gflops": {"value": 10, "source": "datasheet"},
                "bandwidth_gb_s": {"value": 5, "source": "datasheet"},
                "launch_us": {"value": 3, "source": "usual"},
            },
        }
    },
}


def written(tmp_path, *changes):
    """The file with values replaced at paths; ``...`` removes."""
    document = copy.deepcopy(DOCUMENT)
    for path, value in changes:
        *parents, last = path.split(".")
        part = document
        for parent in parents:
            part = part[parent]
        if value is ...:
            del part[last]
        else:
            part[last] = value
    file = tmp_path / "toy.yaml"
    with file.open("w") as stream:
        YAML().dump(document, stream)
    return file


def test_what_is_left_out_has_its_default(tmp_path):
    file = read_profile(written(tmp_path, ("memory", ...)))
    target = file.targets["cpu"]
    assert (target.batch, target.threads, target.this_machine, target.fit) == (1, 1, False, None)
    assert file.memory.ram_gb is None
    assert target.facts.power_w is None


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("device", ..., "device is missing"),
        ("default", ..., "default is missing"),
        ("targets", {}, r"targets is \{\}: "),
        ("targets.cpu.queued", ..., r"targets\.cpu\.queued is missing"),
        ("targets.cpu.facts.launch_us", ..., r"targets\.cpu\.facts\.launch_us is missing"),
        ("targets.cpu.facts.launch_us.source", ..., r"targets\.cpu\.facts\.launch_us\.source is missing"),
        ("targets.cpu.facts.peak_gflops.value", -1, r"peak_gflops\.value is -1: input should be greater than 0"),
        ("targets.cpu.facts.peak_gflops.value", float("inf"), r"peak_gflops\.value is inf: "),
        ("memory.ram_gb.value", 0, r"memory\.ram_gb\.value is 0: input should be greater than 0"),
        ("memory.rom_kb", {"value": 1, "source": "x"}, r"memory\.rom_kb is unknown; remove it"),
        ("targets.cpu.clock", 3, r"targets\.cpu\.clock is unknown; remove it"),
        ("targets.cpu.threads", 0, r"targets\.cpu\.threads is 0: input should be greater than or equal to 1"),
        ("targets.cpu.batch", 8, r"targets\.cpu\.batch is 8: input should be 1"),
        ("targets.cpu.opset", 9, r"targets\.cpu\.opset is 9: input should be greater than or equal to 11"),
        (
            "targets.cpu.precision",
            "fp8",
            r"targets\.cpu\.precision is 'fp8': input should be 'fp32', 'fp16', 'int8' or 'w8a16'",
        ),
        ("targets.cpu.precision", "fp16", r"targets\.cpu\.precision is 'fp16'; the device has fp32, int8"),
        ("targets.cpu.runtime", "ncn", r"targets\.cpu\..*runtime.*ncn.*did you mean ncnn"),
        (
            "targets.cpu.file",
            {"name": "net.bin", "commands": ["convert {model}"], "source": "x"},
            r"targets\.cpu\.file\.commands is .*: value error, \{model\} stands for nothing; write \{floats\}, ",
        ),
        ("targets.cpu.file", {"name": "net.bin"}, r"targets\.cpu\.file\.source is missing"),
        ("default", "gpu", r"default is 'gpu'; allowed: cpu"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path, path, value, said):
    with pytest.raises(UserError, match=said) as caught:
        read_profile(written(tmp_path, (path, value)))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'toy.yaml'}: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "holds no profile"), (b"- 1", "holds no profile"), (b"\xff\xfe\xff", "not a YAML file")]
)
def test_what_is_no_profile_at_all(tmp_path, content, said):
    path = tmp_path / "toy.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_profile(path)


def test_a_saved_profile_keeps_the_keys_that_files_have_and_reads_them_again(tmp_path):
    nano = load_profile("jetson-nano")
    nano.save(tmp_path / "again.yaml")
    kept = YAML(typ="safe").load((tmp_path / "again.yaml").read_text())["targets"]["tensorrt"]["fit"]
    shipped = YAML(typ="safe").load(FILES["jetson-nano"].read_text())
    assert kept == {key: value for key, value in shipped["targets"]["tensorrt"]["fit"].items() if value is not None}
    assert {"anchors", "doubt"} <= kept.keys()
    assert read_profile(tmp_path / "again.yaml") == nano.file
