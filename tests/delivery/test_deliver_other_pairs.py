"""Deliveries of texts, several labels and values, and of compressed students: what a user finds, and what runs."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from automl_kd.core import UserError
from automl_kd.delivery import Facts, deliver
from automl_kd.hardware import load_profile
from automl_kd.onnxio import Session
from automl_kd.recipes import Recipe
from automl_kd.students import build
from automl_kd.tasks import open_task

FACTS = Facts(origin="distilled in full", seeds=(0,))
IMAGES = {"family": "resnet", "depth": 8, "width": 0.25}
TEXTS = {"family": "conv_text", "embedding": 8, "stages": [{"depth": 1, "channels": 16, "kernel": 3}]}
WORDS = {"weather": "rain sun cloud wind snow storm", "food": "bread soup apple rice cheese salt"}


def texts(folder):
    rng = np.random.default_rng(0)
    path = folder / "texts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["words", "about"])
        for number in range(240):
            about = list(WORDS)[number % 2]
            table.writerow([" ".join(rng.choice(WORDS[about].split(), size=rng.integers(3, 9))) + f" n{number}", about])
    task = folder / "task.yaml"
    task.write_text(
        "name: topics\ndata: {kind: csv, path: texts.csv, text: words, label: about, length: 8, vocabulary: 50}\n"
    )
    return str(task)


def pictures(folder):
    rng = np.random.default_rng(0)
    for name, red in (("red", 200), ("grey", 90)):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(60):
            pixels = rng.integers(0, 60, (20, 30, 3)) + np.array([red, 90, 90])
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "pictures" / name / f"{number}.png")
    task = folder / "task.yaml"
    task.write_text("name: colours\ndata: {kind: image-folder, path: pictures, size: 16}\n")
    return str(task)


@pytest.fixture(scope="module", params=["text", "multilabel", "regression", "pictures"])
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    made = {"text": texts, "pictures": pictures}
    names = {"multilabel": "tiled-digits", "regression": "digit-value"}
    name = made[request.param](folder) if request.param in made else names[request.param]
    return request.param, open_task(name), TEXTS if request.param == "text" else IMAGES


def network(task, recipe):
    """A network whose normalisations hold the statistics of the task."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = build(recipe.student, task.signature)
    for examples in torch.split(task.train.inputs[:512], 128):
        student(task.modality.prepare(examples))
    return student.eval()


def recipe_for(task, student, *stages):
    compress = [{"stage": stage} for stage in stages]
    return Recipe.model_validate(
        {"task": task.name, "student": student, "train": {"epochs": 1}, "compress": compress, "threads": 1}
    )


@pytest.fixture(scope="module", params=["plain", "fp16"])
def delivered(request, pair, tmp_path_factory):
    _, task, student = pair
    recipe = recipe_for(task, student, *(["fp16"] if request.param == "fp16" else []))
    folder = tmp_path_factory.mktemp("delivery") / "winner"
    return deliver(folder, network(task, recipe), recipe, task, load_profile("jetson-nano"), FACTS)


def manifest(delivered):
    return json.loads((delivered.path / "manifest.json").read_text(encoding="utf-8"))


def test_the_manifest_says_what_goes_in_and_comes_out(delivered, pair):
    name, task, _ = pair
    data = manifest(delivered)
    assert data["metric"] == task.metric.name
    assert data["preprocessing"] == json.loads(json.dumps(task.modality.preprocessing()))
    if name == "pictures":
        assert data["class_names"] == ["grey", "red"]
        assert not {"names", "modality", "problem"} & data.keys()
    else:
        assert data["names"] == list(task.problem.names)
        assert (data["modality"], data["problem"]) == (task.modality.name, task.problem.name)
        assert "class_names" not in data
    assert ("accuracy" in data) == (name in ("text", "pictures"))
    assert data["files"].keys() == {each.name for each in delivered.path.iterdir()} - {"manifest.json"}
    assert ("vocabulary.json" in data["files"]) == (name == "text")


def test_the_score_is_that_of_the_file(delivered, pair):
    _, task, _ = pair
    outputs = Session(delivered.path / "student.onnx").run(task.modality.prepare(task.test.inputs).numpy())
    for metric in task.metrics:
        value = metric.value(metric.statistics(torch.from_numpy(outputs), task.test.labels))
        assert delivered.test_metrics[metric.name] == pytest.approx(value, abs=2e-3, rel=1e-3)
    assert delivered.onnx_max_difference < 1e-4 * max(1, np.abs(outputs).max())
    assert delivered.test_score_deployed == pytest.approx(delivered.test_score, rel=0.1, abs=0.05)


@pytest.fixture
def as_the_card_says(delivered):
    """Runs the code of the card in a folder that holds the delivery alone, as somebody without the project would."""
    card = (delivered.path / "model_card.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    banned = "import sys\nfor name in ('torch', 'automl_kd', 'onnx'):\n    sys.modules[name] = None\n"

    def run(example=None, more=""):
        mine = (
            code if example is None else re.sub(r"^example = .*$", lambda _: f"example = {example}", code, flags=re.M)
        )
        ended = subprocess.run(
            [sys.executable, "-c", f"{banned}{mine}{more}"],
            cwd=delivered.path,
            env={"PATH": "/usr/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def test_the_code_of_the_card_runs_as_it_stands(as_the_card_says):
    assert as_the_card_says().strip()


def test_the_code_of_the_card_answers_as_the_student(as_the_card_says, delivered, pair):
    name, task, _ = pair
    examples = {
        "text": repr("Rain, and SUN; bread?"),
        "pictures": repr(str(task.found.place) + "/red/7.png"),
        "multilabel": "np.linspace(0, 16, 256).reshape(16, 16)",
        "regression": "np.linspace(0, 16, 128).reshape(8, 16)",
    }
    output = task.signature.output.name
    said = as_the_card_says(
        examples[name],
        f"import json\nprint(json.dumps([*(each.tolist() for each in prepare(example).values()), {output}.tolist()]))",
    )
    given, answered = json.loads(said.splitlines()[-1])
    expected = Session(delivered.path / "student.onnx").run(np.array(given))
    assert np.allclose(answered, expected, atol=1e-4)
    assert np.array(given).shape == (1, *task.signature.input.shape)


def test_the_words_are_those_of_the_task(delivered, pair):
    name, task, _ = pair
    for file in ("model_card.md", "report.html"):
        said = re.sub(r"<script.*?</script>", "", (delivered.path / file).read_text(encoding="utf-8"), flags=re.DOTALL)
        said = re.sub(r"```python.*?```", "", said, flags=re.DOTALL)
        assert f"{task.modality.noun}s" in said
        if name == "text":
            assert "image" not in said
        if name in ("multilabel", "regression"):
            assert not re.search(r"accura|\bclass(?!=)", said.lower())


def test_a_compressed_student_lies_beside_the_one_that_was_trained(delivered, pair):
    _, task, _ = pair
    data, files = manifest(delivered), {each.name: each for each in delivered.path.iterdir()}
    if "compress" not in data["student"]:
        assert "student.float.onnx" not in files
        return
    assert data["student"]["compress"] == [{"stage": "fp16"}]
    assert data["student"]["size_bytes"] == 2 * data["student"]["params"]
    weights = onnx.load(files["student.onnx"]).graph.initializer
    assert any(each.data_type == onnx.TensorProto.FLOAT16 for each in weights)
    assert files["student.onnx"].stat().st_size < files["student.float.onnx"].stat().st_size
    inputs = task.modality.prepare(task.test.inputs[:64]).numpy()
    short, whole = (Session(files[name]).run(inputs) for name in ("student.onnx", "student.float.onnx"))
    assert 0 < np.abs(short - whole).max() < 0.02 * np.abs(whole - whole.mean(0)).max()
    card = files["model_card.md"].read_text(encoding="utf-8")
    assert "fp16 (weights in half precision)" in card
    assert "fp16 (weights in half precision)" in files["report.html"].read_text(encoding="utf-8")


def test_what_a_quantised_student_costs_is_measured_on_the_test_split(pair, tmp_path):
    name, task, student = pair
    recipe = recipe_for(task, student, "quantise")
    hw = "coral-edgetpu" if name == "text" else "stm32h743"
    result = deliver(tmp_path / "out", network(task, recipe), recipe, task, load_profile(hw), FACTS)
    inputs, metric = task.modality.prepare(task.test.inputs).numpy(), task.metric
    short, whole = (
        metric.value(metric.statistics(torch.from_numpy(Session(result.path / name).run(inputs)), task.test.labels))
        for name in ("student.onnx", "student.float.onnx")
    )
    gain = result.gain_over_float
    assert (result.test_score, gain.difference) == (pytest.approx(short), pytest.approx(short - whole, abs=1e-4))
    assert gain.low <= gain.difference <= gain.high
    assert result.shipped.flash.limit == (None if name == "text" else 2048 * 1024)
    data = manifest(result)
    assert data["gain_over_float"] == gain.model_dump()
    assert data["student"]["form"] == "int8"
    assert data["student"]["flash"]["file"] == (result.path / "student.onnx").stat().st_size
    card = (result.path / "model_card.md").read_text(encoding="utf-8")
    assert "In float32 the same weights reach" in card
    how = (
        "ptq: after training; weights with a scale for every output channel, activations asymmetric, ranges by min-max"
    )
    assert how in card
    assert how in data["student"]["compression"]
    if (result.path / "student.tflite").exists():
        takes = (
            "integers, images with their channels last, and answers floats"
            if name == "regression"
            else "and answers integers"
        )
        assert f"It takes {takes}" in card
    assert (result.shipped.not_converted is None) == ("not_converted" not in data["device"]["file"])
    if name == "text":  # an Edge TPU looks nothing up, and leaves what comes after to its host
        assert data["student"]["on_host"].startswith("6 of 6 kernels: ")
        assert "To its host the device's runtime leaves 6 of 6 kernels: " in card
    else:
        assert "Of the device's 2.0 MiB of flash its weights take" in card


def test_compressed_weights_reach_a_device_of_integers(pair, tmp_path):
    _, task, student = pair
    recipe = recipe_for(task, student, "fp16")
    profile = load_profile("jetson-orin-nano:tensorrt-int8")
    assert profile.target.precision == "int8"
    result = deliver(tmp_path / "out", network(task, recipe), recipe, task, profile, FACTS)
    assert result.test_score_deployed == pytest.approx(result.test_score, rel=0.2, abs=0.1)
    loaded, takes = manifest(result)["device"]["file"], task.signature.input
    assert loaded["name"] == "student.engine"
    assert f"--shapes={takes.name}:{'x'.join(map(str, (1, *takes.shape)))} " in loaded["commands"][0]
    card = (result.path / "model_card.md").read_text(encoding="utf-8")
    assert "**not converted here**" in card
    assert loaded["commands"][0] in card


def test_weights_beyond_half_precision_are_refused_in_one_line(pair, tmp_path):
    _, task, student = pair
    recipe = recipe_for(task, student, "fp16")
    module = network(task, recipe)
    with torch.no_grad():
        next(module.stage1.parameters()).mul_(1e6)
    with pytest.raises(UserError, match=r"^compress fp16: weight stage1\.\S+ reaches \S+; float16 ends at 65504$"):
        deliver(tmp_path / "out", module, recipe, task, load_profile("jetson-nano"), FACTS)
    assert not (tmp_path / "out").exists()
