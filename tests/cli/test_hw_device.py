"""A device at hand through the command: kit, its script, calibrate, train, new, list and show."""

import json
import math
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from automl_kd.hardware import load_profile
from automl_kd.hardware.fit_section import Fit, Uncertainty
from automl_kd.hardware.predictor.cost import KINDS
from automl_kd.hardware.predictor.prior import KNOWN_LOOPS
from automl_kd.hardware.profile_file import write_profile
from automl_kd.hardware.target import OWN_MISFIT

KIT = ("hw", "kit", "--hw", "x86-server", "--space", "tiny_cnn")


def document_of(said):
    assert said.code == 0, said.err
    return said.document


@pytest.fixture(scope="module")
def measured(command, run_script, tmp_path_factory):
    """A kit and what its script really measured on this machine."""
    folder = tmp_path_factory.mktemp("device")
    made = command(*KIT, "-n", "5", "--out", "kit", "--json", cwd=folder)
    assert made.code == 0, made.err
    run_script(folder / "kit")
    return folder / "kit", made.document


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def kit(measured, quieten, tmp_path):
    folder = tmp_path / "here" / "kit"
    shutil.copytree(measured[0], folder)
    quieten(folder)
    return folder


@pytest.fixture
def lines(kit):
    return [json.loads(line) for line in (kit / "results.jsonl").read_text().splitlines()]


def test_the_script_measures_every_model_in_every_round_and_says_where(measured):
    kit, made = measured
    head, *visits, end = [json.loads(line) for line in (kit / "results.jsonl").read_text().splitlines()]
    assert head["target"]["runtime"] == "onnxruntime"
    assert head["runtime_version"] == __import__("onnxruntime").__version__
    assert head["device"]["cores"] == os.cpu_count()
    assert end["rounds"] >= 3
    seen = {(line["model"], line["round"]) for line in visits}
    assert seen == {(model["name"], number) for model in made["models"] for number in range(end["rounds"])}
    assert all(0 < line["min"] <= line["p10"] <= line["median"] and line["runs"] >= 10 for line in visits)


def test_calibrate_keeps_a_profile_that_predicts_what_was_measured(run, kit):
    found = document_of(run("hw", "calibrate", "--from", "kit/results.jsonl", "--name", "my-server", "--json"))
    assert found["pairs"] == len(found["networks"]) == 5
    errors = [abs(each["left_out_ms"] / each["measured_ms"] - 1) for each in found["networks"]]
    assert found["error_after"] == pytest.approx(sorted(errors)[2])
    profile = load_profile("my-server")
    said = [profile.predict(kit / "models" / f"{each['model']}.onnx").ms for each in found["networks"]]
    ratios = [ms / each["measured_ms"] for ms, each in zip(said, found["networks"], strict=True)]
    assert math.prod(ratios) ** (1 / len(ratios)) == pytest.approx(1, abs=0.25)
    assert profile.target.runtime_version == __import__("onnxruntime").__version__
    assert found["latency_error"]["networks"] == {"published": 0, "cells": 0, "own": 5}
    assert found["latency_error"]["median_error"] == pytest.approx(found["error_after"], rel=0.01)
    shown = run("hw", "show", "my-server")
    assert all(each["model"] in shown.out for each in found["networks"])
    page = document_of(run("hw", "show", "my-server", "--plot", "page.html", "--json"))
    html = (kit.parent / page["plot"]).read_text()
    assert all(each["model"] in html for each in found["networks"])
    assert "src=" not in html.partition("<script>")[0], "it loads nothing"


def test_calibrate_never_replaces_a_profile(run, mistake, kit):
    arguments = ("hw", "calibrate", "--from", "kit/results.jsonl", "--name")
    assert run(*arguments, "mine").code == 0
    assert "mine.yaml exists; choose another name, or delete it first" in mistake(*arguments, "mine")
    assert "jetson-nano comes with the project" in mistake(*arguments, "jetson-nano")
    assert "name '../mine'" in mistake(*arguments, "../mine")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-2], "ends before its last round does"),
        (lambda lines: [lines[0] | {"target": lines[0]["target"] | {"runtime": "ncnn"}}, *lines[1:]], "runtime ncnn"),
        (lambda lines: [*lines[:3], lines[3] | {"p10": float("nan")}, *lines[4:]], "line 4: the times of"),
        (lambda lines: [*lines[:3], lines[3] | {"sha256": "0"}, *lines[4:]], "measured with another kit"),
        (
            lambda lines: [
                line | {"p10": line["p10"] * (1 + line["round"])} if line.get("model") == "sentinel-busy" else line
                for line in lines
            ],
            "is too noisy: two fixed networks moved",
        ),
        (lambda lines: [{"some": "thing"}, *lines], "is not a results file of measure.py"),
    ],
)
def test_results_that_cannot_be_trusted_are_one_line(mistake, kit, lines, change, said):
    write(kit / "results.jsonl", change(lines))
    assert said in mistake("hw", "calibrate", "--from", "kit/results.jsonl", "--name", "mine")


def test_results_of_another_device_or_without_a_kit_are_one_line(mistake, kit, tmp_path):
    arguments = ("hw", "calibrate", "--from", "kit/results.jsonl", "--name", "mine")
    assert "device Intel" in mistake(*arguments, "--hw", "raspberry-pi-4")
    assert "another target" in mistake(*arguments, "--hw", "raspberry-pi-4")
    assert "is not a kit: it holds no kit.json" in mistake(*arguments, "--kit", tmp_path)
    assert "absent.jsonl: no such file" in mistake("hw", "calibrate", "--from", "absent.jsonl", "--name", "mine")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*KIT, "-n", "4"), "4 models are too few for a calibration; ask for at least 5"),
        ((*KIT[:4], "--space", "tiny"), "unknown search space 'tiny'; did you mean tiny_cnn"),
        (("hw", "kit", "--hw", "jetson-nono"), "unknown device 'jetson-nono'; did you mean jetson-nano"),
        ((*KIT, "--task", "digit"), "unknown task 'digit'"),
        ((*KIT, "--input-shape", "8"), "input shape 8: give a size each of channel, height, width"),
        ((*KIT, "--out", "."), "not empty"),
        (("hw", "kit", "--hw", "jetson-nano:pytorch"), "a kit cannot measure under eager"),
        (("hw", "train", "--budget", "soon"), "budget 'soon': write a duration"),
        (("hw", "train", "--budget", "9s", "--hw", "jetson-nano"), "jetson-nano is not measured on this machine"),
        (("hw", "new", "jetson-nano", "--like", "jetson-nano"), "jetson-nano comes with the project"),
        (("hw", "new", "mine", "--like", "jetson"), "unknown device 'jetson'"),
        (("hw", "show", "x86-server", "--plot", "page.png"), "page.png: the plot is an HTML page"),
        (("hw", "show", "local", "--plot", "page.html"), "local has no measured networks to plot"),
    ],
)
def test_mistakes_are_one_line(mistake, tmp_path, arguments, said):
    (tmp_path / "here" / "notes.txt").write_text("mine")
    assert said in mistake(*arguments)
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["notes.txt"]


def test_a_new_profile_is_a_copy_of_facts_without_fits(run, mistake, tmp_path):
    path = document_of(run("hw", "new", "my-pi", "--like", "raspberry-pi-4", "--json"))["path"]
    mine, theirs = load_profile("my-pi"), load_profile("raspberry-pi-4")
    assert mine.file.device == "my-pi"
    assert mine.file.memory == theirs.file.memory
    for name, target in theirs.file.targets.items():
        assert mine.file.targets[name] == target.model_copy(update={"fit": None})
    assert "automl-kd hw kit --hw my-pi" in Path(path).read_text().partition("device:")[0]
    assert "exists" in mistake("hw", "new", "my-pi", "--like", "jetson-nano")
    listed = document_of(run("hw", "list", "--json"))["devices"]
    (entry,) = [each for each in listed if each["name"] == "my-pi"]
    assert {each["latency_error"]["basis"] for each in entry["targets"]} == {"datasheet"}
    assert {each["target"] for each in entry["targets"]} == set(theirs.file.targets)


@pytest.fixture
def this_machine(run, tmp_path):
    """A profile of this machine that starts from its datasheet, so that no half minute goes by first."""
    file = load_profile("local").file
    target = file.targets[file.default]
    fit = Fit.of(target.prior, frozenset(KINDS), Uncertainty.of(KNOWN_LOOPS, OWN_MISFIT), [])
    path = tmp_path / "here" / "quick.yaml"
    write_profile(path, file.model_copy(update={"targets": {file.default: target.model_copy(update={"fit": fit})}}))
    return path


def train(command, folder, cache, *arguments):
    words = ("hw", "train", "--hw", "quick.yaml", "--space", "tiny_cnn", *arguments, "--json")
    return command.start(*words, cwd=folder, cache=cache)


def kept(cache):
    """Whole lines of the journal."""
    return [line for path in cache.glob("hardware/measured-*.jsonl") for line in path.read_text().split("\n")[:-1]]


def finished(process):
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.mark.long
def test_training_keeps_what_it_measured_through_kill_9_and_stores_a_profile(command, this_machine, tmp_path):
    folder, cache = this_machine.parent, tmp_path / "cache"
    with train(command, folder, cache, "--budget", "1h") as process:
        until = time.monotonic() + 200
        while len(kept(cache)) < 8 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    assert len(kept(cache)) >= 8
    (journal,) = cache.glob("hardware/measured-*.jsonl")
    with journal.open("a") as file:
        file.write('{"network": "torn')
    with train(command, folder, cache, "--budget", "1s", "--name", "trained") as process:
        found = finished(process)
    assert found["measured"] == found["reused"] >= 8
    assert found["ended"] == "budget"
    assert found["error"] == found["steps"][-1]["error"] > 0
    target = load_profile(found["path"]).target
    assert target.this_machine
    assert {anchor.source for anchor in target.fit.references} == {"measured while training on space tiny_cnn"}
    with train(command, folder, cache, "--budget", "1s", "--name", "trained") as process:
        assert finished(process)["path"] == found["path"], "an earlier training is replaced"
