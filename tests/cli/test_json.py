"""``--json`` on every verb: one document on standard output and nothing else."""

import os
import subprocess
import sys

import pytest
import torch

from automl_kd.core import Input
from automl_kd.onnxio import export
from automl_kd.students import ResNet, build

STUDENT = ResNet(family="resnet", depth=8, width=0.25)


@pytest.fixture
def model(tmp_path):
    """A small student as an ONNX file."""
    path = tmp_path / "model.onnx"
    export(build(STUDENT, input_shape=(1, 8, 8), classes=10).eval(), path, Input.of_images((1, 8, 8)))
    return path


def document_of(said):
    assert said.code == 0, said.err
    return said.document


def test_space_list_show_and_sample(run):
    spaces = {each["name"]: each["description"] for each in document_of(run("space", "list", "--json"))["spaces"]}
    assert {"tiny_cnn", "mobile_cnn"} <= spaces.keys()
    assert all(spaces.values())
    shown = document_of(run("space", "show", "tiny_cnn", "--set", "student.family=resnet", "--json"))
    assert shown["recipes"] is None, "infinitely many is null in JSON"
    assert shown["architectures"] > 100
    assert not any(hole["name"].endswith("expand") for hole in shown["holes"])
    drawn = document_of(run("space", "sample", "tiny_cnn", "--seed", 3, "--json"))
    assert drawn == document_of(run("space", "sample", "tiny_cnn", "--seed", 3, "--json"))
    assert drawn["student"]["family"] in ("resnet", "mobilenet")


def test_a_sampled_recipe_is_yaml_that_distill_would_read(run, tmp_path):
    from automl_kd.recipes import load_recipe

    said = run("space", "sample", "tiny_cnn", "--seed", 3)
    (tmp_path / "recipe.yaml").write_text(said.out)
    drawn = document_of(run("space", "sample", "tiny_cnn", "--seed", 3, "--json"))
    assert load_recipe(tmp_path / "recipe.yaml").document() == drawn


def test_task_list(run):
    tasks = {each["name"] for each in document_of(run("task", "list", "--json"))["tasks"]}
    assert tasks == {
        "cluttered-digits",
        "digit-value",
        "digits",
        "fashion-mnist",
        "image-folder",
        "npz",
        "tiled-digits",
    }


def test_task_check(run, digits_teacher, tmp_path):
    found = document_of(run("task", "check", "digits", "--json"))
    assert found["data"]["shape"] == [1, 8, 8]
    assert sum(map(sum, found["data"]["counts"].values())) == 1797
    (teacher,) = found["teacher"]["members"]
    assert teacher["correct"] > 0.9
    assert found["warnings"] == []
    untrained = document_of(
        run(
            "task",
            "check",
            "digits",
            "--teacher",
            "{train: {student: {family: resnet, depth: 14}, train: {epochs: 1}}}",
            "--json",
        )
    )
    assert (untrained["teacher"]["status"], untrained["teacher"]["members"]) == ("to be trained", [])
    assert list((tmp_path / "here").iterdir()) == []


def test_hw_list_and_show(run):
    devices = {each["name"] for each in document_of(run("hw", "list", "--json"))["devices"]}
    assert {"jetson-nano", "raspberry-pi-4", "local"} <= devices
    assert document_of(run("hw", "show", "jetson-nano", "--json"))["name"] == "jetson-nano"


def test_hw_predict(run, model):
    found = document_of(run("hw", "predict", model, "--hw", "jetson-nano", "--json"))
    assert found["low"] <= found["ms"] <= found["high"]
    assert 0 < found["coverage"] <= 1
    assert found["memory_bytes"] > 0


def test_hw_measure(run, model):
    found = document_of(run("hw", "measure", model, "--json"))
    assert 0 < found["minimum"] <= found["p10"] <= found["median"] <= found["p90"]


def test_verbs_about_a_study(run, searched, tmp_path):
    storage = ("--storage", searched.folder / "automl-kd.db", "--json")
    assert document_of(run("status", *storage))["studies"][0]["study"] == "cam"
    assert document_of(run("status", "--study", "cam", *storage))["study"] == "cam"
    assert document_of(run("report", "--out", tmp_path / "page.html", *storage)) == {
        "path": str(tmp_path / "page.html")
    }
    exported = document_of(run("export", "--out", tmp_path / "winner", *storage))
    assert exported.keys() >= {"path", "test_accuracy", "latency_ms", "files"}


def test_distill(run, tmp_path):
    (tmp_path / "recipe.yaml").write_text(
        "task: digits\nstudent: {family: resnet, depth: 8, width: 0.25, stem: {stride: 2}}\n"
        "train: {epochs: 1, batch_size: 128}\n"
    )
    arguments = ("--out", tmp_path / "student", "--hw", "jetson-nano", "--device", "cpu", "--json")
    made = document_of(run("distill", tmp_path / "recipe.yaml", *arguments))
    assert made["path"] == str(tmp_path / "student")
    assert made["files"].keys() >= {"student.onnx", "student.safetensors", "recipe.yaml"}


def test_a_recipe_that_was_distilled_from_a_teacher_of_the_command_line_names_it(run, tmp_path):
    torch.manual_seed(0)
    teacher = build({"family": "resnet", "depth": 8, "width": 0.25}, input_shape=(1, 8, 8), classes=10)
    torch.save(teacher.state_dict(), tmp_path / "here" / "teacher.pt")
    (tmp_path / "recipe.yaml").write_text(
        "task: digits\nstudent: {family: resnet, depth: 8, width: 0.25, stem: {stride: 2}}\n"
        "train: {epochs: 1, batch_size: 128}\ndistill: {losses: {kd: {weight: 1.0}}}\n"
    )
    where = ("--hw", "jetson-nano", "--device", "cpu", "--json")
    named = ("--teacher", "teacher.pt@{family: resnet, depth: 8, width: 0.25}")
    made = document_of(run("distill", tmp_path / "recipe.yaml", *named, "--out", tmp_path / "first", *where))
    again = document_of(run("distill", tmp_path / "first" / "recipe.yaml", "--out", tmp_path / "second", *where))
    assert again["files"] == made["files"]


def test_search_dry_run(run, digits_teacher):
    pins = ("--set", "student.family=resnet", "--set", "student.stem.stride=2", "--set", "student.width=0.25")
    arguments = ("--hw", "jetson-nano", "--budget", "3m", *pins, "--max-params", "100k", "--dry-run", "--json")
    plan = document_of(run("search", *arguments))
    assert plan["seconds"]["budget"] == 180
    assert plan["study"] == "digits-jetson-nano-tiny_cnn"
    assert plan["understood"]["space"].startswith("tiny_cnn: for images")
    assert plan["accuracy"]["basis"] == "networks"
    assert "conv3x3" not in plan["extrapolated"]


def test_without_json_people_read_tables(run, searched):
    said = run("status", "--storage", searched.folder / "automl-kd.db")
    assert said.code == 0
    assert "front (accuracy on search-validation, latency predicted):" in said.out
    assert said.err == ""


def test_an_answer_that_cannot_be_written_is_an_error_without_a_traceback(own_cache):
    """As in ``automl-kd space show nowhere --json | true``, and on a full disk."""
    reading, writing = os.pipe()
    os.close(reading)
    program = "from automl_kd.cli import main; main()"
    with open(writing, "wb") as pipe, open("/dev/full", "wb") as disk:
        for words, output, code, told in (
            (("list",), pipe, 1, ""),
            (("show", "nowhere"), pipe, 2, "automl-kd: unknown search space 'nowhere'"),
            (("list",), disk, 2, "automl-kd: No space left on device"),
        ):
            arguments = [sys.executable, "-c", program, "space", *words, "--json"]
            ended = subprocess.run(arguments, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
            assert ended.returncode == code
            assert ended.stderr.startswith(told)
            assert ended.stderr.count("\n") == (told != "")
