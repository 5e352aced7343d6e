"""The program of a delivery: run where nothing of the project can be imported, it answers as the student was scored."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from automl_kd.delivery import Facts, deliver
from automl_kd.hardware import load_profile
from automl_kd.onnxio import Session
from automl_kd.recipes import Recipe
from automl_kd.students import build
from automl_kd.tasks import open_task

FACTS = Facts(origin="distilled in full", seeds=(0,))
IMAGES = {"family": "resnet", "depth": 8, "width": 0.25}
TEXTS = {"family": "conv_text", "embedding": 8, "stages": [{"depth": 1, "channels": 16, "kernel": 3}]}
ALONE = """
import runpy, sys
sys.modules.update(dict.fromkeys(("automl_kd", "torch", "onnx", "scipy", "sklearn", "pydantic", "yaml")))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
LABELS = {
    "multiclass": lambda number: ("red", "grey", "grün, hell")[number % 3],
    "multilabel": lambda number: "|".join(name for bit, name in enumerate(("warm", "dark")) if number % 4 >> bit & 1),
    "regression": lambda number: f"{1000 + 7.5 * (number % 3)}",
}


def colours(number, mode):
    """A picture of 20 x 30 whose colour tells its label, of any mode, some with parts that one sees through."""
    rng = np.random.default_rng(number)
    if mode == "I;16":
        return Image.fromarray((rng.integers(0, 60_000, (20, 30)) + 1500 * (number % 3)).astype(np.uint16))
    pixels = rng.integers(0, 60, (20, 30, 3)) + np.array([60 * (number % 3), 90, 90 + 30 * (number % 2)])
    picture = Image.fromarray(pixels.astype(np.uint8))
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    if mode == "P":
        picture = picture.quantize(8)
        picture.info["transparency"] = 3
    return picture if mode == "rotated" else picture.convert(mode)


def write_pictures(folder, modes):
    """Files of these modes in turn, and their paths."""
    exif = Image.Exif()
    exif[0x0112] = 6
    paths = []
    for number in range(90):
        mode = modes[number % len(modes)]
        path = folder / f"{number:03}.{'jpg' if mode == 'CMYK' else 'png'}"
        colours(number, mode).save(path, **({"exif": exif} if mode == "rotated" else {}))
        paths.append(path)
    return paths


def write_table(folder, problem, column, cells, more):
    """A task of a table, by its file."""
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        rows = ((cell, LABELS[problem](number)) for number, cell in enumerate(cells))
        csv.writer(file).writerows([(column, "label"), *rows])
    kind = "text" if column == "words" else "image"
    (folder / "task.yaml").write_text(
        f"name: made\nproblem: {problem}\n"
        f"data: {{kind: csv, path: table.csv, {kind}: {column}, label: label, {more}}}\n"
    )
    return open_task(str(folder / "task.yaml"))


def of_pictures(folder, problem, modes=("RGB",), size=16):
    paths = write_pictures(folder, modes)
    task = write_table(folder, problem, "file", [path.name for path in paths], f"size: {size}")
    lines = (folder / "table.csv").read_text(encoding="utf-8").splitlines()
    return task, [str(folder / lines[_line(task, row) - 1].split(",")[0]) for row in range(len(task.test))]


def of_texts(folder, problem, tokens="words"):
    rng = np.random.default_rng(0)
    words = ["Rain", "sun,", "cloud!", "naïve", "snow_storm", "bread—soup", "12", "(rice)"]
    cells = [" ".join(rng.choice(words, size=rng.integers(2, 14))) + f" n{number}" for number in range(160)]
    task = write_table(folder, problem, "words", cells, f"tokens: {tokens}, length: 12, vocabulary: 40")
    return task, [cells[_line(task, row) - 2] for row in range(len(task.test))]


def _line(task, row):
    return int(task.test.name(row).removeprefix("line "))


def of_arrays(folder, name):
    task = open_task(name)
    high = task.found.span[1]
    paths = [str(folder / f"{row:03}.npy") for row in range(12)]
    for path, image in zip(paths, task.test.inputs.numpy(), strict=False):
        np.save(path, image[0] / task.modality.white * high)
    return task, paths


def of_bytes(folder):
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = (rng.integers(0, 150, (120, 21, 14, 3)) + 50 * labels[:, None, None, None]).astype(np.uint8)
    np.savez(folder / "data.npz", x=images, y=labels, x_test=images[::-1], y_test=labels[::-1])
    (folder / "task.yaml").write_text("name: made\ndata: {kind: npz, path: data.npz}\n")
    np.save(folder / "several.npy", images[::-1])
    return open_task(str(folder / "task.yaml")), [str(folder / "several.npy")]


CASES = {
    "pictures": lambda folder: of_pictures(folder, "multiclass", ("RGB", "RGBA", "P", "L", "LA", "CMYK", "rotated")),
    "pictures-int8": lambda folder: of_pictures(folder, "multiclass"),
    "pictures-as-they-are": lambda folder: of_pictures(folder, "multilabel", ("RGB", "1"), size=20),
    "pictures-values": lambda folder: of_pictures(folder, "regression"),
    "pictures-deep": lambda folder: of_pictures(folder, "multiclass", ("I;16", "RGBA")),
    "arrays": lambda folder: of_arrays(folder, "digits"),
    "arrays-labels": lambda folder: of_arrays(folder, "tiled-digits"),
    "arrays-values": lambda folder: of_arrays(folder, "digit-value"),
    "arrays-smaller": of_bytes,
    "texts": lambda folder: of_texts(folder, "multiclass"),
    "texts-int8": lambda folder: of_texts(folder, "multiclass"),
    "texts-labels": lambda folder: of_texts(folder, "multilabel", "characters"),
    "texts-values": lambda folder: of_texts(folder, "regression"),
}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Gives of a case a delivery, its task, and what its test examples are on the command line; made once."""
    made = {}

    def case(name):
        if name not in made:
            made[name] = _delivered(name, tmp_path_factory.mktemp(name))
        return made[name]

    return case


def _delivered(name, folder):
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_KD_CACHE", str(folder / "cache"))
        task, inputs = CASES[name](folder / "data")
    student = TEXTS if task.modality.name == "text" else IMAGES
    if name == "arrays-smaller":
        student = student | {"resolution": 9}
    stages = [{"stage": "quantise"}] if name.endswith("int8") else []
    recipe = Recipe.model_validate(
        {"task": "made", "student": student, "train": {"epochs": 1}, "compress": stages, "threads": 1}
    )
    task = task.at(recipe.student)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(recipe.student, task.signature)
    network(task.modality.prepare(task.train.inputs[:64]))
    profile = load_profile("stm32h743" if stages and student is IMAGES else "raspberry-pi-4")
    return deliver(folder / "winner", network.eval(), recipe, task, profile, FACTS).path, task, inputs


def run(folder, *arguments, stdin=None, cwd="/"):
    """The program in a process of its own, in another folder, where the project cannot be imported."""
    words = [sys.executable, "-c", ALONE, str(folder / "run.py"), *map(str, arguments)]
    return subprocess.run(words, cwd=cwd, env={"PATH": "/usr/bin"}, input=stdin, capture_output=True, check=False)


def documents(ended):
    assert ended.returncode == 0, ended.stderr.decode()
    assert ended.stderr == b""
    return [json.loads(line) for line in ended.stdout.decode().splitlines()]


def expected(folder, task, count):
    """Names and numbers as the task reads what the student answers of its test examples."""
    outputs = torch.from_numpy(
        Session(folder / "student.onnx").run(task.modality.prepare(task.test.inputs[:count]).numpy())
    )
    names = task.problem.names
    if task.problem.name == "regression":
        return [{"values": dict(zip(names, row.tolist(), strict=True))} for row in outputs]
    if task.problem.name == "multilabel":
        chances = outputs.sigmoid().tolist()
        return [
            {"labels": {name: chance for name, chance in zip(names, row, strict=True) if chance > 0.5}}
            for row in chances
        ]
    chances, places = outputs.softmax(1).max(1)
    return [
        {"answer": names[place], "probability": chance}
        for place, chance in zip(places.tolist(), chances.tolist(), strict=True)
    ]


def _close(theirs, ours):
    """Theirs, with numbers of ours where these are as good as equal."""
    if isinstance(theirs, dict):
        return {key: _close(value, ours.get(key)) for key, value in theirs.items()}
    if isinstance(theirs, float) and ours == pytest.approx(theirs, abs=1e-4, rel=1e-5):
        return ours
    return theirs


@pytest.mark.parametrize("name", CASES)
def test_it_answers_as_the_student_was_scored(case, name):
    folder, task, inputs = case(name)
    found = documents(run(folder, *inputs, "--json"))
    assert len(found) == (len(task.test) if len(inputs) == 1 else len(inputs))
    for ours, theirs in zip(found, expected(folder, task, len(found)), strict=True):
        assert ours["input"].startswith(inputs[0]) or ours["input"] in inputs
        assert ours == {"input": ours["input"], **_close(theirs, ours)}


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("pictures", r"\.(png|jpg): (red|grey|grün, hell) \(\d+\.\d %\)$"),
        ("texts-labels", r": (((warm|dark) \(\d+\.\d %\)(, )?)+|no label)$"),
        ("arrays-values", r"\.npy: number \d+(\.\d+)?$"),
    ],
)
def test_it_speaks_to_people(case, name, pattern):
    folder, _, inputs = case(name)
    ended = run(folder, *inputs[:9])
    assert ended.returncode == 0, ended.stderr.decode()
    lines = ended.stdout.decode().splitlines()
    assert len(lines) == 9
    assert all(re.search(pattern, line) for line in lines), lines


def test_the_likeliest_classes(case):
    folder, _, inputs = case("pictures")
    found = documents(run(folder, inputs[0], "--top", "2", "--json"))[0]
    assert [list(each) for each in found["top"]] == [["answer", "probability"]] * 2
    assert found["top"][0] == {"answer": found["answer"], "probability": found["probability"]}
    assert found["top"][0]["probability"] >= found["top"][1]["probability"] > 0


def test_labels_of_another_threshold_and_the_likeliest(case):
    folder, task, inputs = case("arrays-labels")
    every = documents(run(folder, inputs[0], "--threshold", "0", "--json"))[0]["labels"]
    assert list(every) == sorted(task.problem.names, key=lambda name: -every[name])
    likely = documents(run(folder, inputs[0], "--top", "2", "--json"))[0]["labels"]
    assert list(likely) == list(every)[:2]


def test_values_have_no_likeliest(case):
    folder, _, inputs = case("arrays-values")
    ended = run(folder, inputs[0], "--top", "2")
    assert (ended.returncode, b"unrecognized arguments: --top" in ended.stderr) == (2, True)


@pytest.mark.parametrize("name", ["pictures", "arrays-values", "texts-labels"])
def test_names_stand_in_one_file_in_their_order(case, name):
    folder, task, _ = case(name)
    assert (folder / "labels.txt").read_text(encoding="utf-8") == "".join(f"{each}\n" for each in task.problem.names)


def test_folders_lists_and_standard_input_hold_pictures(case, tmp_path):
    folder, _, inputs = case("pictures")
    first = documents(run(folder, *inputs[:2], "--json"))
    for place, path in zip("ab", inputs, strict=False):
        few = tmp_path / "few" / place
        few.mkdir(parents=True)
        (few / "it.jpeg").write_bytes(Path(path).read_bytes())
    (tmp_path / "few" / "notes.md").write_text("no picture")
    found = documents(run(folder, tmp_path / "few", "--json"))
    assert found == [
        {**each, "input": f"{tmp_path}/few/{place}/it.jpeg"} for place, each in zip("ab", first, strict=True)
    ]
    (tmp_path / "few.txt").write_text("\n".join(inputs[:2]))
    assert documents(run(folder, tmp_path / "few.txt", "--json")) == first
    (tmp_path / "few.csv").write_text("n,file\n" + "".join(f"{n},{path}\n" for n, path in enumerate(inputs[:2])))
    assert documents(run(folder, tmp_path / "few.csv", "--column", "file", "--json")) == first
    ended = run(folder, tmp_path / "few.csv")
    assert ended.stderr.decode().endswith("few.csv: --column names the column of the examples; there are n, file\n")
    assert ended.returncode == 2
    assert documents(run(folder, "-", "--json", stdin=Path(inputs[0]).read_bytes())) == [{**first[0], "input": "-"}]


def test_files_and_standard_input_hold_texts(case, tmp_path):
    folder, _, inputs = case("texts")
    texts = documents(run(folder, *inputs[:3], "--json"))
    lines = "\n".join(inputs[:3]) + "\n\n"
    (tmp_path / "a.txt").write_text(lines, encoding="utf-8")
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("n", "text"), *enumerate(inputs[:3])])
    found = documents(run(folder, tmp_path / "a.txt", tmp_path / "a.csv", tmp_path, "--json"))
    assert found == texts * 4
    assert documents(run(folder, "-", "--json", stdin=lines.encode())) == texts
    long = inputs[0] + " " + "rain " * 500
    assert documents(run(folder, long, "--json"))[0]["input"] == long, "it is longer than a file's name may be"


@pytest.mark.parametrize("name", ["pictures", "arrays"])
def test_what_cannot_be_read_is_said_in_a_line_each_and_the_rest_answered(case, name, tmp_path):
    folder, _, inputs = case(name)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    Image.new("RGB", (50, 50)).save(tmp_path / "cut.tiff", compression="tiff_lzw")
    (tmp_path / "cut.tiff").write_bytes((tmp_path / "cut.tiff").read_bytes()[:-40])
    (tmp_path / "torn.npy").write_bytes(b"no array")
    (tmp_path / "none").mkdir()
    odd = ["torn.png", "cut.tiff", "torn.npy", "gone.png", "none"]
    ended = run(folder, *(tmp_path / each for each in odd), inputs[0], "--json")
    assert ended.returncode == 2
    told = ended.stderr.decode().splitlines()
    assert [line.split(": ")[:2] for line in told] == [["run.py", str(tmp_path / each)] for each in odd], told
    assert json.loads(ended.stdout)["input"] == inputs[0]


@pytest.mark.parametrize(("name", "learned"), [("pictures", "pictures of 8 bit"), ("pictures-deep", "uint16")])
def test_a_picture_of_more_bits_than_the_student_has_seen_is_refused(case, name, learned, tmp_path):
    Image.fromarray(np.full((20, 30), 7.5, np.float32)).save(tmp_path / "deep.tiff")
    ended = run(case(name)[0], tmp_path / "deep.tiff")
    assert ended.returncode == 2
    (line,) = ended.stderr.decode().splitlines()
    assert f"the student has learned from {learned}" in line


@pytest.mark.parametrize(("name", "shape"), [("arrays", (8, 8)), ("arrays-smaller", (21, 14, 3))])
def test_a_picture_stands_for_an_array_of_its_pixels(case, name, shape, tmp_path):
    folder, task, _ = case(name)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "it.png")
    np.save(tmp_path / "it.npy", pixels / 255 * task.found.span[1])
    shown, stored = documents(run(folder, tmp_path / "it.png", tmp_path / "it.npy", "--json"))
    assert {**shown, "input": ""} == {**stored, "input": ""}
