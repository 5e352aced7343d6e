"""What a search refuses, its dry run refuses in the same words, and neither leaves anything behind."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from automl_kd.storage import Database, StudyRecord
from automl_kd.students import build

SEARCH = ("search", "--hw", "jetson-nano", "--budget", "60s", "--workers", "1")


@pytest.fixture
def logits_only(tmp_path):
    """An ONNX teacher of digits."""
    weights = np.random.default_rng(0).standard_normal((10, 64)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w"], ["y"], transB=1),
        ],
        "teacher",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "teacher.onnx")
    return tmp_path / "teacher.onnx"


@pytest.fixture
def unfit(tmp_path):
    """A checkpoint of three classes, for a task of ten."""
    module = build({"family": "resnet", "depth": 8}, input_shape=(1, 8, 8), classes=3)
    torch.save(module.state_dict(), tmp_path / "unfit.pt")
    return f"{tmp_path / 'unfit.pt'}@{{family: resnet, depth: 8}}"


@pytest.fixture
def refused(mistake, tmp_path):
    """The message that a dry run and a search have in common; nothing is left of either."""

    def refused(*arguments):
        before = sorted((tmp_path / "here").iterdir())
        said = mistake(*SEARCH, *arguments, "--dry-run")
        assert mistake(*SEARCH, *arguments) == said
        assert sorted((tmp_path / "here").iterdir()) == before
        return said

    return refused


def test_a_teacher_of_logits_alone_is_refused_where_the_space_asks_for_maps(refused, logits_only):
    assert "leave them out: --set distill.losses." in refused("--teacher", logits_only)


def test_a_teacher_of_other_classes_is_refused(refused, unfit):
    assert "10 outputs" in refused("--teacher", unfit)


def test_a_limit_that_nothing_meets_is_refused(refused):
    assert "--max-latency is 0.001 ms" in refused("--max-latency", "1us")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metric", "f2"), "unknown metric 'f2'; a multiclass problem has: accuracy, balanced_accuracy, macro_f1"),
        (("--metric", "rmse"), "unknown metric 'rmse'; a multiclass problem has: accuracy"),
        (("--objective", "speed"), "unknown objective 'speed'; known: energy, latency, latency@DEVICE, memory"),
        (("--objective", "memory", "--objective", "memory"), "objective 'memory' is there twice"),
        (("--objective", "latency", "--objective", "latency@jetson-nano"), "is there twice"),
        (("--objective", "memory@raspberry-pi-4"), "write latency@DEVICE"),
        (("--objective", "latency@raspbery-pi-4"), "unknown device 'raspbery-pi-4'; did you mean raspberry-pi-4"),
        (("--objective", "energy"), "--objective energy: "),
        (
            [
                word
                for name in ("latency", "memory", "energy", "latency@raspberry-pi-4")
                for word in ("--objective", name)
            ],
            "4 objectives beside the score: a search takes 3 at most",
        ),
        (
            ("--hw", "raspberry-pi-4:ncnn-int8", "--set", "compress=[]"),
            "take --hw raspberry-pi-4, or leave compress out",
        ),
        (("--stop-when-flat", "--sampler", "tpe"), "sampler tpe cannot tell what improvement it expects; use sampler"),
        (("--sampler", "tpr"), "unknown sampler 'tpr'; did you mean tpe?"),
        (("--fidelity", "half"), "unknown fidelity 'half'; did you mean halving?"),
        (("--executor", "slurm"), "unknown executor 'slurm'; known: inline, process, ray"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(refused, arguments, message):
    assert message in refused(*arguments)


def test_a_study_to_take_over_from_must_be_there(refused):
    assert "unknown study in automl-kd.db" in refused("--from-study", "elsewhere")


def test_a_space_of_which_no_recipe_can_be_computed_is_refused(refused):
    reason = refused(
        "--set", "distill.losses.hint={weight: 1.0, at: [stage9]}", "--set", "distill.losses.review_hcl=null"
    )  # fmt: skip
    assert "sampled recipes fits task and teacher" in reason
    assert "stage9" in reason


def test_a_teacher_whose_own_training_cannot_work_is_refused(refused):
    student = "student: {family: resnet, depth: 8}, train: {epochs: 1}"
    losses = "distill: {losses: {hint: {weight: 1.0, at: [stage9]}}}"
    assert "stage9" in refused("--teacher", f"{{train: {{{student}, {losses}, teacher: {{train: {{{student}}}}}}}}}")


def test_a_budget_that_does_not_hold_the_teacher_is_refused(mistake, tmp_path):
    teacher = "{train: {student: {family: resnet, depth: 20}, train: {epochs: 5000}}}"
    for more in (("--dry-run",), ()):
        assert "budget 60 s is too short: the teacher needs" in mistake(*SEARCH, "--teacher", teacher, *more)
    assert list((tmp_path / "here").iterdir()) == []


def test_a_budget_that_starts_no_worker_is_refused(refused, digits_teacher):
    assert refused("--budget", "1s").startswith("budget 1 s is too short")


def test_a_disk_that_holds_no_student_is_refused(refused, digits_teacher):
    assert refused("--max-disk", "1KB").startswith("--max-disk 1KB: does not hold one student")


def test_a_cluster_that_does_not_answer_is_refused(refused, free_port):
    pytest.importorskip("ray")
    ray = ("--executor", "ray", "--address", f"127.0.0.1:{free_port}")
    assert f"no Ray cluster answers at 127.0.0.1:{free_port}" in refused(*ray)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(refused):
    assert "cuda" in refused("--device", "cuda")


def test_a_study_of_other_data_or_in_use_is_refused_and_left_as_it_is(mistake, searched, tmp_path):
    arguments = ["search", *searched.arguments[1:], "--storage", searched.folder / "automl-kd.db"]
    before = (searched.folder / "automl-kd.db").stat().st_mtime_ns
    assert "begun with another seed" in mistake(*arguments, "--seed", 5, "--dry-run")
    assert (searched.folder / "automl-kd.db").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("more", "another"),
    [
        (("--metric", "macro_f1"), "another metric"),
        (("--objective", "latency", "--objective", "memory"), "another set of objectives"),
    ],
)
def test_a_study_of_another_metric_or_objective_is_refused_and_left_as_it_is(mistake, searched, more, another):
    database = searched.folder / "automl-kd.db"
    before = database.stat().st_mtime_ns
    for last in ((), ("--dry-run",)):
        assert another in mistake(*searched.arguments, "--storage", database, *more, *last)
    assert database.stat().st_mtime_ns == before


def test_a_study_that_has_no_teacher_yet_may_be_begun_otherwise(run, digits_teacher):
    Database("begun.db").save_study(StudyRecord("cam", {"seed": 1, "data": "another"}, {}, 60.0))
    said = run(*SEARCH, "--storage", "begun.db", "--study", "cam", "--dry-run", "--json")
    assert said.code == 0, said.err


def test_a_study_in_use_is_refused_by_name(mistake, tmp_path):
    hold = (
        "import sys\nfrom automl_kd.storage import Database\n"
        "with Database('held.db').lease('cam'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    arguments = (*SEARCH, "--storage", "held.db", "--study", "cam")
    for more in (("--dry-run",), ()):
        assert f"is being searched by process {process.pid}" in mistake(*arguments, *more)
    process.communicate("", timeout=60)


def test_a_folder_in_the_way_is_refused_before_anything_is_trained(mistake, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "diary.txt").write_text("mine")
    recipe = {"task": "digits", "student": {"family": "resnet", "depth": 8}, "train": {"epochs": 10_000}}
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    assert "diary.txt" in mistake("distill", tmp_path / "recipe.yaml", "--out", tmp_path / "taken")
