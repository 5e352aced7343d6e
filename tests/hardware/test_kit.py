"""Kits: informative models, a script that runs on old devices, results that are taken or refused for a reason."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import nets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd import students
from automl_kd.core import TEXT_AXES, Input, Output, Signature, UserError
from automl_kd.hardware import Candidate, KitTarget, load_profile, read_kit, read_results, write_kit, write_picks_kit
from automl_kd.hardware.measurement import kit_script
from automl_kd.hardware.measurement.network_file import write_network
from automl_kd.hardware.measurement.selection import Design
from automl_kd.hardware.measurement.training import Journal, Timed
from automl_kd.hardware.predictor.cost import Features


@pytest.fixture(scope="module")
def profile():
    return load_profile("x86-server")


@pytest.fixture(scope="module")
def candidates():
    draw = np.random.default_rng(0)
    plans = {
        nets.plan(*draw.choice((4, 8, 16, 24), draw.integers(1, 7)).tolist(), pixels=int(draw.choice((8, 16, 24))))
        for _ in range(60)
    }
    ordered = sorted(plans, key=repr)
    return [Candidate(f"net-{number:02}", plan, {"number": number}) for number, plan in enumerate(ordered)]


@pytest.fixture(scope="module")
def folder(profile, candidates, tmp_path_factory):
    path = tmp_path_factory.mktemp("device") / "kit"
    write_kit(path, profile, "x86-server", "some nets", candidates, 5)
    return path


@pytest.fixture(scope="module")
def kit(folder):
    return read_kit(folder)


@pytest.fixture(scope="module")
def target(profile):
    return KitTarget.of(profile)


def log_determinant(profile, candidates, chosen):
    """Of the information about the time of each kind, written down without the design's own bookkeeping."""
    rows = []
    for index in chosen:
        plan = candidates[index].plan
        network = profile.network(plan.build(), plan.blocks[0].input_shape)
        seconds = Features.of(network.kernels).seconds_by_kind(profile.coefficients)
        whole = np.append(seconds, profile.coefficients.intercept)
        rows.append(whole / whole.sum())
    matrix = np.array(rows)
    return np.linalg.slogdet(np.eye(matrix.shape[1]) + 100 * matrix.T @ matrix)[1]


def test_chosen_networks_say_more_than_random_ones_and_spread_over_sizes(profile, candidates):
    design = Design.of(profile, candidates)
    chosen = design.choose(6)
    assert chosen == Design.of(profile, candidates).choose(6), "the same at every call"
    assert len(set(chosen)) == 6
    draw = np.random.default_rng(1)
    random = [log_determinant(profile, candidates, draw.choice(len(candidates), 6, replace=False)) for _ in range(30)]
    assert log_determinant(profile, candidates, chosen) > np.quantile(random, 0.9)
    ranks = np.argsort(np.argsort(design.seconds))[chosen] / len(candidates)
    assert ranks.min() < 0.25
    assert ranks.max() > 0.75


def test_what_is_measured_is_not_chosen_again_nor_what_is_not_offered(profile, candidates):
    design = Design.of(profile, candidates)
    first = design.choose(3)
    second = design.choose(3, measured=first, among=range(0, len(candidates), 2))
    assert not set(first) & set(second)
    assert all(index % 2 == 0 for index in second)
    assert len(design.choose(10**6, measured=first)) == len(candidates) - 3


def test_a_kit_holds_what_its_list_says(folder, kit, profile, candidates):
    assert sorted(path.name for path in folder.iterdir()) == ["README.txt", "kit.json", "measure.py", "models"]
    assert [model.sentinel for model in kit.models] == [False] * 5 + [True] * 2
    by_name = {candidate.name: candidate for candidate in candidates}
    for model in kit.models[:5]:
        candidate = by_name[model.name]
        assert model.origin == candidate.origin
        said = profile.predict(folder / model.file)
        assert said.flops == model.flops
        assert said.ms == pytest.approx(model.predicted_ms, rel=0.02)


def test_the_same_candidates_give_the_same_bytes(kit, profile, candidates, tmp_path):
    assert write_kit(tmp_path / "again", profile, "x86-server", "some nets", candidates, 5) == kit


@pytest.mark.parametrize(("count", "said"), [(4, "at least 5"), (1000, "at most that many")])
def test_too_few_and_too_many_models_are_one_line(profile, candidates, tmp_path, count, said):
    with pytest.raises(UserError, match=said):
        write_kit(tmp_path / "kit", profile, "x86-server", "some nets", candidates, count)
    assert list(tmp_path.iterdir()) == []


def test_networks_of_texts_are_fed_ids(profile, tmp_path):
    takes = Input("ids", (16,), TEXT_AXES, "int64", ids=40)

    def planned(width):
        stages = [{"depth": 1, "channels": width}]
        return students.plan(
            {"family": "conv_text", "embedding": 8, "stages": stages}, Signature(takes, Output("logits", 2))
        )

    texts = [Candidate(f"net-{width}", planned(width), {}) for width in range(4, 12)]
    kit = write_kit(tmp_path / "kit", profile, "x86-server", "texts", texts, 5)
    assert [model.inputs for model in kit.models if model.sentinel] == [{}, {}]
    for model in kit.models[:5]:
        assert (model.input, model.shapes) == ((16,), {"ids": (1, 16)})
        assert model.inputs["ids"].type == "int64"
        assert profile.predict(tmp_path / "kit" / model.file).ms == pytest.approx(model.predicted_ms, rel=0.05)
    first, second = (tmp_path / "kit" / model.file for model in kit.models[:2])
    picks = write_picks_kit(tmp_path / "picks", profile, "x86-server", "texts", "study", {3: first, 7: second})
    assert [model.inputs for model in picks.models[:2]] == [model.inputs for model in kit.models[:2]]
    assert read_kit(tmp_path / "picks") == picks


def test_a_kit_of_picks_takes_along_what_the_runtime_begins_with(candidates, tmp_path):
    profile, chosen = load_profile("coral-edgetpu"), candidates[0]
    made = write_network(chosen.build(), tmp_path / "student.onnx", chosen.input, profile.target)
    (tmp_path / "student.tflite").write_bytes(b"made before")
    kit = write_picks_kit(tmp_path / "kit", profile, "coral-edgetpu", "nets", "study", {3: made})
    beside = (tmp_path / "kit" / kit.models[0].file).with_suffix(".tflite")
    assert beside.read_bytes() == b"made before"
    assert "_edgetpu.tflite" in (tmp_path / "kit" / "README.txt").read_text()


def test_a_kit_never_replaces_files(profile, candidates, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        write_kit(tmp_path, profile, "x86-server", "some nets", candidates, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_runtime_that_no_script_drives_is_one_line(candidates, tmp_path):
    with pytest.raises(UserError, match="cannot measure under eager"):
        write_kit(tmp_path / "kit", load_profile("x86-server:pytorch"), "x86", "nets", candidates, 5)


def test_a_changed_model_is_noticed(profile, candidates, tmp_path):
    kit = write_kit(tmp_path / "kit", profile, "x86-server", "some nets", candidates, 5)
    (tmp_path / "kit" / kit.models[0].file).write_bytes(b"another")
    with pytest.raises(UserError, match="SHA-256 differs"):
        read_kit(tmp_path / "kit")


def test_the_script_is_python_3_6_and_needs_nothing_else():
    source = Path(kit_script.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    imported = {
        name.name.partition(".")[0] for node in tree.body if isinstance(node, ast.Import) for name in node.names
    }
    assert imported <= sys.stdlib_module_names
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    # Annotations are evaluated by 3.6, which knows no list[str]: they are builtins or quoted.
    hints = [node.annotation for node in ast.walk(tree) if isinstance(node, ast.arg) and node.annotation]
    hints += [node.returns for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.returns]
    assert all(isinstance(hint, ast.Name | ast.Constant) for hint in hints)


# TensorRT and ncnn run on no machine without their hardware or build; these programs write what theirs write:
# https://github.com/NVIDIA/TensorRT samples/common/sampleReporting.cpp, ncnn's benchmark/benchncnn.cpp.
TRTEXEC = """#!{python}
import json, sys
options = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
print("&&&& RUNNING TensorRT.trtexec [TensorRT v8201] # trtexec")
if "saveEngine" in options:
    assert "fp16" in options and open(options["onnx"], "rb").read(1)
    open(options["saveEngine"], "w").write(options["shapes"])
elif "loadEngine" in options:
    assert open(options["loadEngine"]).read() == options["shapes"]
    rows = [{{"h2dMs": 9, "computeMs": 2 + i / 100, "d2hMs": 9, "latencyMs": 20}} for i in range(101)]
    json.dump(rows, open(options["exportTimes"], "w"))
"""
BENCHNCNN = """#!{python}
import sys
loops, threads, powersave, gpu, cooling, param, shape = sys.argv[1:]
assert (powersave, gpu, cooling) == ("0", "{gpu}", "0") and open(param.partition("=")[2]).read()
print("loop_count = " + loops, file=sys.stderr)
print("  model.param  min =    3.25  max =    9.00  avg =    4.50", file=sys.stderr)
"""
ONNX2NCNN = """#!{python}
import sys
open(sys.argv[2], "w").write("7767517")
"""


def program(folder, name, text, **values):
    path = folder / name
    path.write_text(text.format(python=sys.executable, **values))
    path.chmod(0o755)


def measured(folder, path, script=()):
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    words = [sys.executable, str(folder / "measure.py"), "--out", str(folder / "results.jsonl"), *script]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.parametrize(
    ("hw", "programs", "label_ms", "version"),
    [
        ("jetson-nano", {"trtexec": TRTEXEC}, 2.1, "8201"),
        ("jetson-nano:ncnn-vulkan", {"benchncnn": BENCHNCNN, "onnx2ncnn": ONNX2NCNN}, 3.25, "unknown"),
    ],
)
def test_command_line_runtimes_are_driven(candidates, tmp_path, hw, programs, label_ms, version):
    folder = tmp_path / "kit"
    profile = load_profile(hw)
    kit = write_kit(folder, profile, hw, "some nets", candidates, 5)
    path = tmp_path / "bin"
    path.mkdir()
    without = measured(folder, path)
    assert (without.returncode, without.stderr.count("\n")) == (2, 1)
    assert f"this kit needs {next(iter(programs))}" in without.stderr
    for name, text in programs.items():
        program(path, name, text, gpu=0)
    ended = measured(folder, path)
    assert ended.returncode == 0, ended.stderr
    results = read_results(folder / "results.jsonl", kit, KitTarget.of(profile))
    assert [model for model, _ in results.pairs] == [model.name for model in kit.models[:5]]
    assert [ms for _, ms in results.pairs] == pytest.approx([label_ms] * 5)
    assert (results.rounds, results.repeat_error, results.runtime_version) == (3, 0.0, version)


def test_fewer_rounds_than_three_are_refused_by_the_script(folder, tmp_path):
    assert "fewer than 3" in measured(folder, tmp_path, ("--rounds", "2")).stderr


def lines_of(kit, rounds=3, times=lambda model, number: 1.0, **header):
    """Results of a device: what ``times`` says is p10, the median is a fifth above it."""
    first = {"automl_kd_results": 1, "target": kit.target.model_dump(), "runtime_version": "1", "device": {}} | header
    lines = [first]
    for number in range(rounds):
        for model in kit.models:
            ms = times(model, number)
            entry = {"model": model.name, "sha256": model.sha256, "round": number, "runs": 30}
            lines.append(entry | {"min": 0.9 * ms, "p10": ms, "median": 1.2 * ms})
    return [*lines, {"rounds": rounds}]


@pytest.fixture
def taken(kit, target, tmp_path):
    """Results from lines."""

    def taken(lines):
        path = tmp_path / "results.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return read_results(path, kit, target)

    return taken


def own(model, _):
    return 1.0 + sum(map(ord, model.name)) % 7


def test_the_label_is_p10_and_on_locked_devices_the_median(kit, taken):
    expected = [(model.name, own(model, 0)) for model in kit.models if not model.sentinel]
    found = taken(lines_of(kit, times=own))
    assert (found.label, found.rounds, found.repeat_error) == ("p10", 3, 0.0)
    assert [pair[1] for pair in found.pairs] == pytest.approx([ms for _, ms in expected])
    locked = taken(lines_of(kit, times=own, device={"locked": True}))
    assert locked.label == "median"
    assert [pair[1] for pair in locked.pairs] == pytest.approx([1.2 * ms for _, ms in expected])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.5, 2), min_size=3, max_size=6))
def test_a_machine_that_is_slower_in_some_rounds_gives_the_labels_of_its_median_speed(kit, tmp_path_factory, factors):
    path = tmp_path_factory.getbasetemp() / "drift.jsonl"
    lines = lines_of(kit, len(factors), lambda model, number: own(model, number) * factors[number])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_results(path, kit, kit.target)
    assert found.repeat_error < 1e-9
    wanted = [own(model, 0) * np.median(factors) for model in kit.models if not model.sentinel]
    off = np.log([ms for _, ms in found.pairs]) - np.log(wanted)
    # An even number of rounds has a geometric median here and an arithmetic one there; drifts below 3 % stay in.
    assert np.ptp(off) < 1e-9
    assert abs(off[0]) < 0.03 + abs(np.log(np.median(factors)) - np.median(np.log(factors)))


def disturbed(kit, rounds, factor, spoiled):
    """One sentinel is slower in some rounds, the other is not."""
    name = next(model.name for model in kit.models if model.sentinel)

    def times(model, number):
        return own(model, number) * (factor if model.name == name and number in spoiled else 1.0)

    return lines_of(kit, rounds, times)


def test_noisy_results_are_refused_and_spare_rounds_stand_in(kit, taken):
    with pytest.raises(UserError, match=r"is too noisy: two fixed networks moved 15 % apart"):
        taken(disturbed(kit, 3, 1.15, {1}))
    found = taken(disturbed(kit, 4, 1.15, {1}))
    assert (found.rounds, found.repeat_error) == (3, 0.0)
    assert taken(disturbed(kit, 3, 1.05, {1})).repeat_error == pytest.approx(0.05)


def changed(lines, index, **values):
    return [line | values if number == index else line for number, line in enumerate(lines)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "ends before its last round does"),
        (lambda lines: [*lines[:5], *lines[6:]], "lacks .* in round 1; run measure.py again"),
        (lambda lines: changed(lines, 3, p10=float("nan")), "line 4: the times of .* are no positive numbers"),
        (lambda lines: changed(lines, 3, min=0.0), "line 4: the times of"),
        (lambda lines: changed(lines, 3, median=-1.0), "line 4: the times of"),
        (lambda lines: changed(lines, 2, sha256="0" * 64), "measured with another kit"),
        (lambda lines: changed(lines, 2, model="net-xx"), "measured with another kit"),
        (lambda lines: lines[1:], "is not a results file"),
        (lambda lines: [*lines[:15], {"rounds": 2}], "holds 2 rounds; at least 3 are needed"),
    ],
)
def test_damaged_results_are_refused_with_the_reason(kit, taken, change, said):
    with pytest.raises(UserError, match=said):
        taken(change(lines_of(kit)))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("device", "Raspberry Pi 4", "device Raspberry Pi 4, not"),
        ("runtime", "ncnn", "runtime ncnn, not onnxruntime"),
        ("precision", "int8", "precision int8, not fp32"),
        ("threads", 4, "threads 4, not 1"),
    ],
)
def test_results_of_another_target_are_refused(kit, taken, field, value, said):
    with pytest.raises(UserError, match=said):
        taken(lines_of(kit, target=kit.target.model_dump() | {field: value}))


def test_a_file_cut_within_a_line_is_refused_with_its_number(kit, target, tmp_path):
    text = "".join(json.dumps(line) + "\n" for line in lines_of(kit))
    path = tmp_path / "results.jsonl"
    path.write_text(text[: text.index('"round": 1') + 3])
    with pytest.raises(UserError, match="line 9 is cut off or damaged"):
        read_results(path, kit, target)


def test_a_journal_survives_a_line_that_was_never_finished(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    Journal(path).append("first", Timed(1.0, 2.0))
    with path.open("a") as file:
        file.write('{"network": "torn", "ms": 3.')
    Journal(path).append("second", Timed(4.0, 2.0))
    Journal(path).append("first", Timed(5.0, 2.0))
    Journal(path).append("wrong", Timed(float("nan"), 2.0))
    assert Journal(path).read() == {"first": Timed(5.0, 2.0), "second": Timed(4.0, 2.0)}
