"""Searches whose examples are no pictures or whose labels are no classes: several labels, values, and texts."""

import ast
import csv
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.metrics import f1_score, root_mean_squared_error

from automl_kd.recipes import load_recipe
from automl_kd.students import build, load_weights
from automl_kd.tasks import open_task

LIBRARIES = ("scipy", "sqlalchemy", "rich")
IMAGES = """
search_epochs: 3
student:
  family: resnet
  stem: {kernel: 3, stride: 2}
  stages: [{depth: 1, channels: 16}, {depth: 1, channels: 32}]
distill: {losses: {task: {weight: 1.0}, kd: {weight: 1.0, temperature: {choice: [1.0, 4.0]}}}}
train: {epochs: 8, batch_size: 32, optimizer: {name: adamw, lr: 0.01}}
"""
TEXTS = """
search_epochs: 3
student:
  family: conv_text
  embedding: 16
  stages: [{depth: 1, channels: 16, kernel: 3, stride: 2}]
distill: {losses: {task: {weight: 1.0}, kd: {weight: 1.0, temperature: {choice: [1.0, 4.0]}}}}
train: {epochs: 3, batch_size: 64, optimizer: {name: adamw, lr: 0.01}}
"""
TEXT_TASK = """
name: libraries
data: {kind: csv, path: texts.csv, text: words, label: library, tokens: words, length: 48, vocabulary: 1000}
teacher:
  train:
    student: {family: conv_text, embedding: 32, stages: [{depth: 1, channels: 64, kernel: 5}]}
    train: {epochs: 8, batch_size: 64, optimizer: {name: adamw, lr: 0.005}}
"""
DIGITS_TASK = """
name: NAME
problem: PROBLEM
data: {kind: NAME}
teacher:
  train:
    student: {family: resnet, depth: 8, stem: {stride: 2}}
    train: {epochs: 6, batch_size: 32, optimizer: {name: adamw, lr: 0.01}}
"""
LEARNED = {"multilabel": (0.4, 1.0), "regression": (0.0, 20.0), "text": (0.4, 1.0)}
"""Between these a student has learned: guessing gives 0 %, the labels' deviation of 29, a third."""
PAIRS = {
    "multilabel": ("tiled-digits", "micro_f1", "maximize"),
    "regression": ("digit-value", "rmse", "minimize"),
    "text": ("libraries", "accuracy", "maximize"),
}


def docstrings(library, most=300):
    """What the functions of a library say of themselves, read from its files without running them."""
    folder = Path(find_spec(library).submodule_search_locations[0])
    found = []
    for file in sorted(folder.rglob("*.py")):
        if "test" in file.parts or len(found) >= most:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8", errors="ignore"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        texts = [ast.get_docstring(node) for node in functions]
        found += [text for text in texts if text and len(text.split()) > 8]
    return found[:most]


@pytest.fixture(scope="module")
def table():
    """A CSV of real English: which library does a docstring come from?"""
    rows = [(" ".join(text.split()), library) for library in LIBRARIES for text in docstrings(library)]
    assert len(rows) == 300 * len(LIBRARIES)
    return rows


LONG = pytest.mark.long


@pytest.fixture(
    scope="module",
    params=[pytest.param("multilabel", marks=LONG), pytest.param("regression", marks=LONG), "text"],
)
def pair(request, once, table, tmp_path_factory):
    """A search of two recipes for each pair, which ends by itself."""
    task, metric, direction = PAIRS[request.param]
    of_digits = DIGITS_TASK.replace("NAME", task).replace("PROBLEM", request.param)
    files = {"space": TEXTS if request.param == "text" else IMAGES, "task": of_digits}
    if request.param == "text":
        path = tmp_path_factory.mktemp("texts") / "texts.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("words", "library"), *table])
        files["task"] = TEXT_TASK.replace("texts.csv", str(path))
    arguments = ("search", "--task", "task.yaml", "--hw", "jetson-nano", "--budget", "10m", "--space", "space.yaml")
    more = ("--study", "cam", "--workers", "1", "--device", "cpu", "--json")
    return request.param, once(f"pair-{request.param}", (*arguments, *more), **files), metric, direction


def test_the_answer_is_by_the_metric_of_the_problem(pair):
    name, searched, metric, direction = pair
    document = searched.document
    assert (document["state"], document["metric"], document["direction"]) == ("done", metric, direction)
    assert document["trials"]["failed"] == 0
    assert document["front"]
    assert document["picks"]
    for pick in document["picks"]:
        assert set(pick["arms"]) >= {"no_distillation", "plain_kd"}
        assert pick["test_score"] == pick["test_metrics"][metric]
        assert LEARNED[name][0] < pick["test_score"] < LEARNED[name][1]
    assert ("accuracy" in document["picks"][0]["test_metrics"]) == (metric == "accuracy")


def test_what_was_understood_speaks_of_modality_and_problem(pair, inside):
    name, searched, *_ = pair
    data = searched.document["understood"]["data"]
    assert (data["modality"], data["problem"]) == (
        "text" if name == "text" else "image",
        "multiclass" if name == "text" else name,
    )
    shown = inside("task", "check", "task.yaml", cwd=searched.folder)
    assert shown.code == 0, shown.err
    words = {"multilabel": "label", "regression": "median", "text": "words a text"}[name]
    assert words in shown.out


def test_the_delivered_file_answers_as_the_student_and_as_well_as_is_said(pair, own_cache, monkeypatch):
    name, searched, metric, _ = pair
    monkeypatch.chdir(searched.folder)
    task = open_task("task.yaml")
    pick = searched.document["picks"][0]
    folder = Path(pick["path"])
    inputs = task.modality.prepare(task.test.inputs)
    session = onnxruntime.InferenceSession(folder / "student.onnx", providers=["CPUExecutionProvider"])
    (answers,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    student = load_weights(
        build(load_recipe(folder / "recipe.yaml").student, task.signature), folder / "student.safetensors"
    )
    with torch.no_grad():
        assert np.abs(student(inputs).numpy() - answers).max() < 1e-3
    labels = task.test.labels.numpy()
    if name == "multilabel":
        value = f1_score(labels, answers > 0, average="micro")
    else:
        value = (
            root_mean_squared_error(labels, answers) if name == "regression" else (answers.argmax(1) == labels).mean()
        )
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["score"]["this_student"] == pytest.approx(value, abs=1e-3)
    assert manifest["metrics"]["this_student"][metric] == manifest["score"]["this_student"]


def test_the_code_of_the_model_card_runs_where_only_the_delivery_is(pair, tmp_path):
    _, searched, *_ = pair
    folder = Path(searched.document["picks"][0]["path"])
    card = (folder / "model_card.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    program = tmp_path / "as_the_card_says.py"
    program.write_text(code)
    ended = subprocess.run(
        [sys.executable, program], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()


def test_an_export_is_made_again_by_its_recipe(pair, inside):
    name, searched, *_ = pair
    role = searched.document["picks"][0]["role"]
    exported = inside("export", "--study", "cam", "--pick", role, "--out", "winner", "--json", cwd=searched.folder)
    assert exported.code == 0, exported.err
    again = inside("distill", "winner/recipe.yaml", "--out", "again", "--device", "cpu", "--json", cwd=searched.folder)
    assert again.code == 0, again.err
    for file in ("student.onnx", "student.safetensors"):
        made = [(searched.folder / of / file).read_bytes() for of in ("winner", "again")]
        assert made[0] == made[1], (name, file)


def test_the_report_speaks_of_the_problem(pair, command):
    name, searched, *_ = pair
    page = (searched.folder / "automl-kd-files" / "cam" / "report.html").read_text()
    page = re.sub("<script.*?</script>", "", page, flags=re.DOTALL)
    title = {"multilabel": "micro F1", "regression": "RMSE", "text": "accuracy"}[name]
    assert title in page
    if name != "text":
        assert "accuracy" not in page.lower()
    if name == "text":
        assert "image" not in page
