"""What ``hw list``, ``hw show`` and ``hw predict --explain`` tell of prices, and how far to trust them."""

import json
import math

import pytest
from torch import nn

from automl_kd.core import Input
from automl_kd.hardware import Kind, load_profile
from automl_kd.onnxio import export


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network that spends most of its time in depthwise convolutions, as an ONNX file."""
    folder = tmp_path_factory.mktemp("model")
    layers = [nn.Conv2d(3, 128, 3, 2, 1), nn.ReLU()]
    for _ in range(6):
        layers += [nn.Conv2d(128, 128, 5, padding=2, groups=128), nn.ReLU()]
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    export(module.eval(), folder / "depthwise.onnx", Input.of_images((3, 224, 224)))
    return folder / "depthwise.onnx"


UNMEASURED = "pixel-4:tflite-1-thread"
"""Only cells of NAS-Bench-201 were measured, which hold no depthwise convolution."""


@pytest.fixture(scope="module")
def listed(command, tmp_path_factory):
    """``hw list`` for people and as a document."""
    folder = tmp_path_factory.mktemp("listed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(command.environment, "XDG_CONFIG_HOME", str(folder))  # no profiles of other tests
        return command("hw", "list", cwd=folder).out, command("hw", "list", "--json", cwd=folder).document["devices"]


def test_explained_parts_add_up_to_the_price_and_name_what_is_extrapolated(inside, model):
    said = inside("hw", "predict", model, "--hw", UNMEASURED, "--explain", "--json", cwd=model.parent).document
    assert math.fsum(part["ms"] for part in said["parts"]) == pytest.approx(said["ms"], rel=1e-12)
    assert next(iter(said["extrapolated"])) == "depthwise", "the dearest first"
    (depthwise,) = [part for part in said["parts"] if part["name"] == "depthwise"]
    assert depthwise["extrapolated"]
    assert depthwise["kernels"] == 6
    assert depthwise["share"] == said["extrapolated"]["depthwise"] > 0.1
    assert depthwise["gflops"] == pytest.approx(6 * 2 * 25 * 128 * 112**2 / 1e9)
    assert depthwise["arithmetic"] + depthwise["memory"] + depthwise["launch"] == pytest.approx(depthwise["ms"])
    assert {part["name"] for part in said["parts"]} <= {*Kind, "intercept", "streaming", "correction"}


def test_the_table_of_parts_ends_with_the_price(inside, model):
    out = inside("hw", "predict", model, "--hw", UNMEASURED, "--explain", cwd=model.parent).out
    lines = out.splitlines()
    (row,) = [line for line in lines if line.startswith("depthwise")]
    assert "extrapolated" in row
    assert lines[-1].split()[:2] == ["total", lines[0].split()[0]]
    assert max(map(len, lines[2:])) <= 100


def test_without_being_asked_a_price_says_what_no_measured_network_has(inside, model):
    for hw, told in (
        (UNMEASURED, f"kinds of kernels that no measured network of {UNMEASURED} has: depthwise"),
        ("raspberry-pi-4", None),
        (
            "hailo-8",
            "no network was measured on hailo-8: a ranking, not a time, until calibrated",
        ),
    ):
        said = inside("hw", "predict", model, "--hw", hw, "--json", cwd=model.parent).document
        assert "parts" not in said
        assert len(said["notes"]) == (told is not None)
        assert all(told in note for note in said["notes"])


def test_hw_list_has_a_row_for_every_target_that_fits_a_screen(listed):
    out, devices = listed
    lines = out.splitlines()
    assert max(map(len, lines)) <= 100
    rows = [line.split() for line in lines]
    for device in devices:
        start = [row[:1] for row in rows].index([device["name"]])
        file = load_profile(device["name"]).file
        assert device["targets"][0]["target"] == file.default
        assert {each["target"] for each in device["targets"]} == set(file.targets)
        for each in device["targets"]:
            first = each["name"].replace(device["name"], "", 1) or device["name"]
            found = next(row for row in rows[start:] if row[:1] == [first])
            assert each["runtime"].startswith(found[1])


def test_hw_list_tells_figures_that_load_profile_has(listed):
    _, devices = listed
    for each in (each for device in devices for each in device["targets"]):
        profile = load_profile(each["name"])
        error, said = profile.latency_error(), each["latency_error"]
        assert each["key"] == profile.key
        assert (said["median_error"], said["interval"]) == (error.median_error, error.interval)
        assert said["kinds"] == list(error.kinds)
        assert each["accuracy"] == said  # its key before
        assert said["family_error"] is None or said["family_error"] > 0


def test_a_damaged_profile_of_ones_own_hides_no_other(command, monkeypatch, tmp_path):
    monkeypatch.setitem(command.environment, "XDG_CONFIG_HOME", str(tmp_path))
    mine = tmp_path / "automl-kd" / "hardware_profiles" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("device: mine\n")
    said = command("hw", "list", "--json", cwd=tmp_path).document
    assert "raspberry-pi-5" in {device["name"] for device in said["devices"]}
    assert len(said["unreadable"]) == 1
    assert str(mine) in said["unreadable"][0]


def test_targets_without_a_measured_network_are_said_to_rank(listed):
    out, _ = listed
    (row,) = [line for line in out.splitlines() if line.startswith("hailo-8 ")]
    assert "ranking only" in row
    assert "%" not in row


def test_a_wider_screen_needs_no_wrapped_rows(command, monkeypatch, tmp_path):
    monkeypatch.setitem(command.environment, "COLUMNS", "160")
    wide = command("hw", "list", cwd=tmp_path).out
    (row,) = [line for line in wide.splitlines() if line.startswith("raspberry-pi-5 ")]
    assert row.endswith("conv, depthwise, dense")


def test_hw_show_says_what_the_figures_are_for(inside, tmp_path):
    out = inside("hw", "show", "jetson-nano", cwd=tmp_path).out
    error, kinds = out.splitlines()[1:3]
    assert "published models and 20 NAS-Bench-201 cells left out one at a time" in error
    assert "recurrent" in kinds.partition("not for")[2]
    found = json.loads(inside("hw", "show", "jetson-nano", "--json", cwd=tmp_path).out)
    assert f"median error {100 * found['latency_error']['median_error']:.1f} %" in error


def test_hw_show_says_which_integers_a_target_loads_and_what_its_commands_leave_open(inside, tmp_path):
    out = inside("hw", "show", "jetson-orin-nano:tensorrt-int8", cwd=tmp_path).out
    assert "; zero points: 0 alone; " in out
    assert "{sizes}: sizes of a batch of one, such as 1x3x32x32" in out
    assert "{reversed}" not in out
