"""A delivered folder is checked against its manifest and timed where it lies, as a user does it."""

import json
import shutil

import numpy as np
import pytest
import torch

import automl_kd as ak
from automl_kd.delivery import Facts, deliver
from automl_kd.hardware import load_profile
from automl_kd.recipes import Recipe
from automl_kd.students import build
from automl_kd.tasks import open_task

IMAGES = {"family": "resnet", "depth": 8, "width": 0.25}
TEXTS = {"family": "conv_text", "embedding": 8, "stages": [{"depth": 1, "channels": 16, "kernel": 3}]}
ALL = ["files", "onnx", "labels", "recipe", "parity", "score"]


def delivered(folder, task, student, stages=(), seed=0):
    """A delivery of a student of random weights, with the statistics of its examples."""
    compress = [{"stage": each} for each in stages]
    document = {"task": task.reference.model_dump(), "student": student, "train": {"epochs": 1}, "threads": 1}
    recipe = Recipe.model_validate({**document, "compress": compress})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build(recipe.student, task.signature)
    network(task.modality.prepare(task.train.inputs[:128]))
    facts = Facts(origin="distilled in full", seeds=(0,))
    profile = load_profile("stm32h743" if "quantise" in stages else "raspberry-pi-4")
    return deliver(folder, network.eval(), recipe, task, profile, facts).path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Deliveries by their form, and one of another student, made once."""
    folder, task = tmp_path_factory.mktemp("deliveries"), open_task("digits")
    forms = {"float": (), "fp16": ("fp16",), "int8": ("quantise",)}
    paths = {name: delivered(folder / name, task, IMAGES, stages) for name, stages in forms.items()}
    return {**paths, "other": delivered(folder / "other", task, IMAGES, seed=1)}


@pytest.fixture
def winner(made, tmp_path):
    """A copy of the delivery in floats, to be spoilt."""
    return shutil.copytree(made["float"], tmp_path / "winner")


def outcomes(found):
    return {each.name: each.outcome for each in found.checks}


def differing(found):
    return [each.name for each in found.checks if each.outcome == "differs"]


def edit(folder, change):
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("form", ["float", "fp16", "int8"])
def test_a_delivery_is_as_its_manifest_says(made, form, inside, tmp_path):
    ended = inside("verify", str(made[form]), cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    header, *lines = ended.out.splitlines()
    assert header.split() == ["check", "outcome", "found"]
    assert [line.split()[:2] for line in lines] == [[name, "ok"] for name in ALL]
    assert "accuracy" in lines[-1]
    found = inside("verify", str(made[form]), "--json", cwd=tmp_path).document
    assert found["ok"]
    assert [(each["name"], each["outcome"]) for each in found["checks"]] == [(name, "ok") for name in ALL]
    assert ("student.float.onnx by at most" in found["checks"][4]["told"]) == (form != "float")


def test_weights_that_were_changed_are_found_twice(winner, inside, tmp_path):
    weights = bytearray((winner / "student.safetensors").read_bytes())
    weights[-2] ^= 0x40
    (winner / "student.safetensors").write_bytes(weights)
    ended = inside("verify", "winner", cwd=tmp_path)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    start = (
        "automl-kd: winner is not as its manifest.json says: student.safetensors has another SHA-256; off PyTorch on"
    )
    assert line.startswith(start)
    as_json = inside("verify", "winner", "--json", cwd=tmp_path)
    assert as_json.code == 2
    document = json.loads(as_json.out)
    assert f"automl-kd: {document['error']}\n" == as_json.err == f"{line}\n"
    told = {each["name"]: each["outcome"] for each in document["checks"]}
    assert told == dict(zip(ALL, ["differs", "ok", "ok", "ok", "differs", "ok"], strict=True))


def test_the_file_of_another_student_has_other_hash_outputs_and_score(winner, made):
    shutil.copy(made["other"] / "student.onnx", winner)
    found = ak.verify(winner)
    assert not found.ok
    assert differing(found) == ["files", "parity", "score"]
    assert "student.onnx has another SHA-256" in found.fault


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [("student.onnx", ["files", "onnx", "parity"]), ("student.safetensors", ["files", "parity"])],
)
@pytest.mark.parametrize("how", ["gone", "garbage"])
def test_files_that_are_missing_or_none(winner, name, spoilt, how):
    (winner / name).unlink()
    if how == "garbage":
        (winner / name).write_bytes(b"garbage")
    found = ak.verify(winner)
    assert differing(found) == spoilt
    assert outcomes(found)["score"] == "not checked"
    assert ("is missing" if how == "gone" else "another SHA-256") in found.checks[0].told


def test_the_file_of_a_student_of_other_classes(winner, tmp_path):
    other = delivered(tmp_path / "other", table(tmp_path / "data", "multiclass"), TEXTS)
    for name in ("student.onnx", "student.safetensors"):
        shutil.copy(other / name, winner)
    found = ak.verify(winner)
    assert differing(found) == ["files", "onnx", "parity"]
    assert "student.safetensors holds no weights of the student of recipe.yaml" in found.fault


def test_a_label_file_with_another_name_in_a_line(winner):
    text = (winner / "labels.txt").read_text()
    (winner / "labels.txt").write_text(text.replace("7\n", "seven\n"))
    found = ak.verify(winner)
    assert differing(found) == ["files", "labels"]
    assert found.checks[2].told == "line 8 of labels.txt is 'seven', manifest.json says '7'"


def test_a_recipe_of_another_student(winner):
    text = (winner / "recipe.yaml").read_text()
    (winner / "recipe.yaml").write_text(text.replace("epochs: 1", "epochs: 2"))
    assert differing(ak.verify(winner)) == ["files", "recipe"]
    (winner / "recipe.yaml").write_text("student: [\n")
    assert outcomes(ak.verify(winner)) | {"files": ""} == {
        "files": "", "onnx": "ok", "labels": "ok", "recipe": "differs", "parity": "not checked", "score": "not checked",
    }  # fmt: skip


def test_a_score_that_is_not_reached(winner):
    edit(winner, lambda document: document["score"].update(this_student=0.99))
    found = ak.verify(winner)
    assert differing(found) == ["score"]
    assert found.checks[-1].told.endswith("on 497 test images, manifest.json says 99.0 %")


def test_what_lies_beside_is_told_and_no_fault(winner):
    (winner / "notes.txt").write_text("mine")
    found = ak.verify(winner)
    assert found.ok
    assert "beside them, and none of the delivery: notes.txt" in found.checks[0].told


def test_a_folder_of_an_earlier_version_has_no_program_and_no_label_file(winner):
    def as_before(document):
        for name in ("run.py", "labels.txt"):
            (winner / name).unlink()
            del document["files"][name]
        del document["score"], document["device"]["file"]

    edit(winner, as_before)
    found = ak.verify(winner)
    assert outcomes(found) == dict.fromkeys([name for name in ALL if name != "labels"], "ok")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "holds no manifest.json; it should be a folder that export, distill or a search has written"),
        ("{", "manifest.json: cannot be read"),
        ("[]", "manifest.json"),
        ('{"files": {"../recipe.yaml": "00"}}', "is no name of a file in the folder"),
        ('{"files": {}, "onnx": {"opset": "new"}}', "onnx.opset"),
    ],
)
def test_a_folder_without_a_manifest_that_says_something_is_refused_in_a_line(winner, inside, tmp_path, text, said):
    (winner / "manifest.json").unlink()
    if text is not None:
        (winner / "manifest.json").write_text(text)
    for verb in ("verify", "bench"):
        ended = inside(verb, "winner", cwd=tmp_path)
        assert (ended.code, ended.out) == (2, "")
        (line,) = ended.err.splitlines()
        assert said in line


def table(folder, problem):
    """A task of a table of texts."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcdefgh"), size=6)) + f" n{number}" for number in range(80)]
    labels = [f"{100 + 3 * (number % 4)}" if problem == "regression" else "xy"[number % 2] for number in range(80)]
    rows = "".join(f"{text},{label}\n" for text, label in zip(texts, labels, strict=True))
    (folder / "table.csv").write_text(f"words,label\n{rows}")
    data = "{kind: csv, path: table.csv, text: words, label: label, length: 8, vocabulary: 20}"
    (folder / "task.yaml").write_text(f"name: made\nproblem: {problem}\ndata: {data}\n")
    return open_task(str(folder / "task.yaml"))


@pytest.mark.parametrize("problem", ["multiclass", "multilabel", "regression"])
def test_without_the_data_made_up_examples_show_parity_and_no_score(tmp_path, problem, inside):
    delivered(tmp_path / "winner", table(tmp_path / "data", problem), TEXTS)
    (tmp_path / "data").rename(tmp_path / "moved")
    found = ak.verify(tmp_path / "winner")
    assert found.ok
    assert outcomes(found) == {**dict.fromkeys(ALL, "ok"), "score": "not checked"}
    parity, score = found.checks[-2:]
    assert "on 64 made-up examples" in parity.told
    assert "no such file" in score.told
    again = ak.verify(tmp_path / "winner", task=str(tmp_path / "moved" / "task.yaml"), data=str(tmp_path / "moved"))
    assert outcomes(again) == dict.fromkeys(ALL, "ok")
    rows = (tmp_path / "moved" / "table.csv").read_text().splitlines()
    (tmp_path / "moved" / "table.csv").write_text("\n".join(rows[:-1]))
    ended = inside("verify", "winner", "--task", "moved/task.yaml", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "the recipe was made for data" in ended.err


def test_the_compressed_file_is_timed_beside_the_one_in_floats(made, inside, tmp_path):
    found = inside("bench", str(made["int8"]), "--batch", "1", "--batch", "4", "--json", cwd=tmp_path).document
    ready = load_profile("local").ready
    assert [(row["file"], row["batch"]) for row in found["rows"]] == [
        (name, batch) for batch in (1, 4) for name in ("student.onnx", "student.float.onnx")
    ]
    for row in found["rows"]:
        assert row["p10"] <= row["p90"]
        assert row["per_second"] == pytest.approx(1e3 * row["batch"] / row["ms"])
    floats = next(row for row in found["rows"] if row["file"] == "student.float.onnx")
    assert (floats["predicted_ms"] is not None) == ready
    assert all(row["predicted_ms"] is None for row in found["rows"] if row["batch"] == 4)


def test_times_for_people(made, inside, tmp_path):
    ended = inside("bench", str(made["float"]), "--batch", "2", cwd=tmp_path)
    assert ended.code == 0, ended.err
    header, row, end = ended.out.splitlines()
    assert header.split()[:3] == ["file", "batch", "latency"]
    assert row.startswith("student.onnx      2  ")
    assert row.endswith("–")
    assert "1 thread; its speed ranged over" in end


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--batch", "0"], "batch 0: it should be at least 1 example"),
        (["--threads", "0"], "threads is 0; it must be at least 1"),
    ],
)
def test_what_cannot_be_timed_is_refused_in_a_line(made, inside, tmp_path, words, said):
    ended = inside("bench", str(made["float"]), *words, cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (2, "", f"automl-kd: {said}\n")


def test_a_file_that_does_not_run_is_not_timed(winner, inside, tmp_path):
    (winner / "student.onnx").write_bytes(b"garbage")
    ended = inside("bench", "winner", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "winner/student.onnx" in ended.err
