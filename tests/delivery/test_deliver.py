"""A delivery of a small student on digits, as a user finds it on disk."""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from automl_kd.delivery import Arms, Facts, deliver
from automl_kd.hardware import load_profile
from automl_kd.onnxio import Session
from automl_kd.recipes import Recipe, load_recipe
from automl_kd.results import ArmResult, Gain, PlainKdSetting
from automl_kd.students import build, load_weights
from automl_kd.tasks import open_task

FILES = {
    *("student.onnx", "student.safetensors", "recipe.yaml", "run.py", "labels.txt"),
    *("model_card.md", "report.html", "manifest.json"),
}
FACTS = Facts(
    origin="distilled in full",
    study="cam <b>& co</b>",
    trial=4,
    epochs=2,
    seeds=(1, 2),
    test_metrics={"accuracy": 0.912, "macro_f1": 0.905},
    test_metrics_std={"accuracy": 0.0042, "macro_f1": 0.006},
    arms=Arms(
        arm="searched",
        results={
            "searched": ArmResult(score=0.912, metrics={"accuracy": 0.912, "macro_f1": 0.905}, gain=None),
            "no_distillation": ArmResult(
                score=0.9,
                metrics={"accuracy": 0.9, "macro_f1": 0.89},
                gain=Gain(difference=0.012, low=0.001, high=0.024),
            ),
            "plain_kd": ArmResult(
                score=0.905, metrics={"accuracy": 0.905}, gain=Gain(difference=0.007, low=-0.004, high=0.018)
            ),
        },
        plain_kd_setting=PlainKdSetting(temperature=4.0, weight=0.9),
    ),
    teacher_metrics={"accuracy": 0.985},
    history=({"epoch": 1, "accuracy": 0.6, "task": 1.9}, {"epoch": 2, "accuracy": 0.8, "task": 0.7}),
)


@pytest.fixture(scope="module")
def task():
    return open_task("digits")


@pytest.fixture(scope="module")
def profile():
    return load_profile("jetson-nano")


@pytest.fixture(scope="module")
def recipe():
    student = {"family": "resnet", "depth": 8, "width": 0.25}
    return Recipe.model_validate({"task": "digits", "student": student, "train": {"epochs": 2}})


@pytest.fixture(scope="module")
def student(task, recipe):
    """A network whose batch-norm statistics are those of the task, not of its initialisation."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = build(recipe.student, task.signature)
    for images in torch.split(task.modality.prepare(task.train.inputs), 128):
        module(images)
    return module.eval()


@pytest.fixture(scope="module")
def delivered(tmp_path_factory, student, recipe, task, profile):
    folder = tmp_path_factory.mktemp("delivery") / "winner"
    return deliver(folder, student, recipe, task, profile, FACTS)


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_holds_the_files_and_nothing_else(delivered):
    assert contents(delivered.path).keys() == FILES
    assert [path.name for path in delivered.path.parent.iterdir()] == ["winner"]


def test_hashes_are_those_of_the_files(delivered):
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents(delivered.path).items()}
    assert delivered.files == hashes
    assert manifest(delivered.path)["files"] == {name: sha for name, sha in hashes.items() if name != "manifest.json"}


def test_the_onnx_file_is_one_file_of_the_asked_opset(delivered, profile):
    model = onnx.load(delivered.path / "student.onnx", load_external_data=False)
    assert [item.version for item in model.opset_import if item.domain == ""] == [profile.opset] == [delivered.opset]
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer)


@pytest.mark.parametrize("batch", [1, 7])
def test_the_onnx_file_agrees_with_torch_in_any_batch(delivered, student, task, batch):
    images = task.modality.prepare(task.test.inputs[:batch])
    with torch.no_grad():
        expected = student(images).numpy()
    actual = Session(delivered.path / "student.onnx").run(images.numpy())
    assert np.abs(actual - expected).max() < 1e-4


def test_what_was_measured(delivered, student, task):
    with torch.no_grad():
        logits = student(task.modality.prepare(task.test.inputs))
    correct = logits.argmax(dim=1) == task.test.labels
    assert delivered.test_accuracy == delivered.test_score == int(correct.sum()) / len(task.test)
    assert delivered.test_metrics["log_loss"] == pytest.approx(
        torch.nn.functional.cross_entropy(logits.double(), task.test.labels.long()).item(), rel=1e-4
    )
    assert delivered.test_accuracy_deployed == delivered.test_score_deployed
    assert abs(delivered.test_accuracy_deployed - delivered.test_accuracy) < 0.02
    assert delivered.deployed_metrics.keys() == delivered.test_metrics.keys()
    assert 0 < delivered.onnx_max_difference < 1e-4


def test_the_price_is_that_of_the_search(delivered, student, profile):
    [price] = profile.price([student.plan])
    assert (delivered.latency_ms, delivered.latency_low, delivered.latency_high) == (price.ms, price.low, price.high)
    assert delivered.coverage == price.coverage


def test_weights_and_recipe_come_back(delivered, student, recipe, task):
    again = build(recipe.student, task.signature)
    load_weights(again, delivered.path / "student.safetensors")
    for name, value in student.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    assert load_recipe(delivered.path / "recipe.yaml") == recipe


def test_the_manifest_names_what_the_student_was_made_of(delivered, recipe, task, profile):
    data = manifest(delivered.path)
    assert data["versions"].keys() == {"python", "automl-kd", "torch", "onnx", "onnxruntime", "numpy"}
    assert data["task"] == {"name": "digits", "sha256": task.sha256}
    assert data["teacher"] == {"sha256": None}
    assert data["recipe"] == {"digest": recipe.digest()}
    loads = data["device"].pop("file")
    assert data["device"] == {"name": "jetson-nano", "key": profile.key, "precision": "fp16"}
    assert loads["name"] == "student.engine"
    assert loads["commands"] == [
        "trtexec --onnx=student.onnx --shapes=input:1x1x8x8 --fp16 --saveEngine=student.engine"
    ]
    assert data["onnx"] == {
        "opset": 13,
        "bytes": (delivered.path / "student.onnx").stat().st_size,
        "max_difference": delivered.onnx_max_difference,
    }
    assert data["latency"]["kind"] == "predicted"
    assert (data["metric"], data["direction"]) == ("accuracy", "maximize")
    assert data["accuracy"] == data["score"]
    assert data["accuracy"]["this_student"] == delivered.test_accuracy
    assert data["accuracy"]["this_student_deployed"] == delivered.test_accuracy_deployed
    assert data["accuracy"] == data["accuracy"] | {
        "split": "test", "mean": 0.912, "std": 0.0042, "seeds": [1, 2], "arm": "searched",
        "searched": 0.912, "no_distillation": 0.9, "plain_kd": 0.905, "teacher": 0.985,
    }  # fmt: skip
    assert data["metrics"]["this_student"] == delivered.test_metrics
    assert data["metrics"]["arms"]["no_distillation"] == {"accuracy": 0.9, "macro_f1": 0.89}
    assert data["preprocessing"]["mean"] == list(task.modality.mean)
    assert data["class_names"] == list(task.problem.names)


def test_the_code_of_the_model_card_runs(delivered):
    card = (delivered.path / "model_card.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", card, flags=re.DOTALL)[1] + "print(answers.shape, logits.shape)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=delivered.path, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip().splitlines()[-1] == "(1,) (1, 10)"


@pytest.mark.parametrize(
    "said",
    [
        "| mean ± standard deviation over 2 seeds | 91.2 % ± 0.4 |",
        "| student | Accuracy | Balanced accuracy | Macro F1 |",
        "| same training, no distillation | 90.0 % | – | 89.0 % |",
        "**Predicted, not measured:**",
        "The interval includes 0",
        "cam \\<b\\>& co\\</b\\>",
        '["0", "1", "2",',
        "| teacher | 98.5 % |",
        "licence of the data",
        "shape 1 x 8 x 8; stored as whole numbers, 8x8, values 0 to 16; divided by 16",
        "A network for images of 10 classes (resnet, ",
    ],
)
def test_the_model_card_says(delivered, said):
    assert said in (delivered.path / "model_card.md").read_text(encoding="utf-8")


def test_the_report_says_the_numbers_and_escapes_names(delivered):
    page = (delivered.path / "report.html").read_text(encoding="utf-8")
    assert f"{100 * delivered.test_accuracy:.1f} % in a predicted" in page
    assert "Mean ± standard deviation over 2 seeds" in page
    assert "91.2 % ± 0.4" in page
    assert "cam &lt;b&gt;&amp; co&lt;/b&gt;" in page
    assert "<b>& co" not in page


def test_no_file_names_this_machine(delivered):
    for name in FILES - {"report.html"}:
        assert str(Path.home()).encode() not in (delivered.path / name).read_bytes()
        assert str(delivered.path.parent).encode() not in (delivered.path / name).read_bytes()


def test_a_second_delivery_replaces_the_first_with_equal_bytes(delivered, student, recipe, task, profile):
    before = contents(delivered.path)
    threads = torch.get_num_threads()
    again = deliver(delivered.path, student, recipe, task, profile, FACTS)
    assert contents(again.path) == before
    assert again == delivered
    assert torch.get_num_threads() == threads


def test_a_search_checkpoint_says_so(tmp_path, student, recipe, task, profile):
    deliver(tmp_path / "now", student, recipe, task, profile, Facts(origin="search checkpoint"))
    assert "**checkpoint of a search**" in (tmp_path / "now/model_card.md").read_text(encoding="utf-8")
    assert "This is a checkpoint of a search" in (tmp_path / "now/report.html").read_text(encoding="utf-8")


def test_a_given_report_is_delivered_as_it_is(tmp_path, student, recipe, task, profile):
    facts = Facts(origin="distilled in full")
    deliver(tmp_path / "out", student, recipe, task, profile, facts, report_html="<p>study</p>")
    assert (tmp_path / "out/report.html").read_text(encoding="utf-8") == "<p>study</p>"


def test_fp32_is_deployed_as_it_is(tmp_path, student, recipe, task):
    profile = load_profile("raspberry-pi-4")
    assert profile.target.precision == "fp32"
    result = deliver(tmp_path / "out", student, recipe, task, profile, Facts(origin="distilled in full"))
    assert result.test_accuracy_deployed == result.test_accuracy


def test_a_task_judged_by_another_metric_is_delivered_by_its_score(tmp_path, student, recipe, profile):
    by_loss = open_task("digits", metric="log_loss")
    facts = Facts(origin="distilled in full", seeds=(0,), teacher_metrics={"log_loss": 0.05, "accuracy": 0.98})
    result = deliver(tmp_path / "out", student, recipe, by_loss, profile, facts)
    assert result.test_score == result.test_metrics["log_loss"] != result.test_accuracy
    data = manifest(result.path)
    assert (data["metric"], data["direction"]) == ("log_loss", "minimize")
    assert data["score"]["this_student"] == result.test_score
    assert data["score"]["teacher"] == 0.05
    assert data["accuracy"]["this_student"] == result.test_accuracy
    assert data["accuracy"]["teacher"] == 0.98
    page = (result.path / "report.html").read_text(encoding="utf-8")
    assert f"<h1>log loss {result.test_score:.3g} nats in a predicted" in page
    assert "The teacher reaches log loss 0.05 nats" in page
    card = (result.path / "model_card.md").read_text(encoding="utf-8")
    assert "| student | Log loss (less is better) | Accuracy |" in card


def test_a_task_without_accuracy_is_delivered_without_a_word_of_it(tmp_path, student, recipe, task, profile):
    others = tuple(metric for metric in task.metrics if "accuracy" not in metric.name)
    result = deliver(
        tmp_path / "out",
        student,
        recipe,
        replace(task, metrics=others),
        profile,
        Facts(origin="distilled in full", history=({"epoch": 1, "macro_f1": 0.5}, {"epoch": 2, "macro_f1": 0.6})),
    )
    assert result.test_accuracy is result.test_accuracy_deployed is None
    assert "accuracy" not in manifest(result.path)
    for name in ("model_card.md", "manifest.json"):
        assert "accuracy" not in (result.path / name).read_text(encoding="utf-8").lower()
    page = (result.path / "report.html").read_text(encoding="utf-8")
    assert "accuracy" not in re.sub(r"<script>/\*\*.*?</script>", "", page, flags=re.DOTALL).lower()
