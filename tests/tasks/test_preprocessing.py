"""The Python that a delivered student comes with: run as a newcomer would, it prepares what the task prepares."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from task_files import write_folder

from automl_kd.tasks import Resolution, open_task


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


def _prepared(task, folder, example):
    """The input that the code makes of an example, given as an expression, in a process of its own."""
    folder.mkdir()
    for name, content in task.modality.files().items():
        (folder / name).write_text(content, encoding="utf-8")
    name = task.signature.input.name
    code = f"{task.modality.code(name)}\n\nfound = prepare({example})['{name}']\nnp.save('out.npy', found)\n"
    (folder / "prepare.py").write_text(code, encoding="utf-8")
    subprocess.run([sys.executable, "-I", "prepare.py"], cwd=folder, check=True)
    return torch.from_numpy(np.load(folder / "out.npy"))


def _same(task, split, index, found, atol=1e-5):
    wanted = task.modality.prepare(split.inputs[index : index + 1])
    assert found.dtype == getattr(torch, task.signature.input.dtype)
    assert found.shape == wanted.shape
    assert torch.allclose(found.double(), wanted.double(), atol=atol)


@pytest.mark.parametrize(
    ("options", "resolution"), [("size: 14", None), ("size: 12", None), ("size: 12, background: teal", 9)]
)
def test_picture_files(tmp_path, options, resolution):
    """Pictures are scaled to what is kept, in bytes, and that to what networks take, in bytes again."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for file in write_folder(tmp_path / "p").rglob("*.png"):
        image = Image.open(file).convert("RGBA")
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.rotate(90, expand=True).save(file, exif=exif)
    (tmp_path / "t.yaml").write_text(f"name: t\ndata: {{kind: image-folder, path: p, {options}}}\n")
    task = open_task(str(tmp_path / "t.yaml"))
    student = replace(task, modality=task.modality.at(Resolution(resolution))) if resolution else task
    file = tmp_path / "p" / task.test.name(0)
    _same(student, task.test, 0, _prepared(student, tmp_path / "own", repr(str(file))), atol=0)
    kept = task.train.inputs.shape[-1]
    assert (
        student.modality.preprocessing()
        .get("scaled", "")
        .startswith("" if kept == 14 == student.signature.input.shape[1] else f"to {kept}x{kept}, then to")
    )


@pytest.mark.parametrize("scale", [1, 17, 1 / 255])
def test_arrays_as_they_were_stored(tmp_path, scale):
    source = np.random.RandomState(0)
    images = source.randint(0, 250, (60, 6, 5, 3)) * scale
    stored = images.astype(np.uint16 if scale > 1 else np.uint8 if scale == 1 else np.float32)
    np.savez(tmp_path / "a.npz", x=stored, y=np.arange(60) % 2)
    task = open_task("npz", str(tmp_path / "a.npz"))
    row = int(task.test.name(0)[2:-1])
    example = f"np.array({stored[row].transpose(2, 0, 1).tolist()})"
    _same(task, task.test, 0, _prepared(task, tmp_path / "own", example))
    smaller = replace(task, modality=task.modality.at(Resolution(4)))
    _same(smaller, task.test, 0, _prepared(smaller, tmp_path / "small", example), 1.1 / 255 / 0.27)


def test_digits(tmp_path):
    task = open_task("digits")
    example = f"np.array({(task.test.inputs[0, 0] * 16).tolist()})"
    _same(task, task.test, 0, _prepared(task, tmp_path / "own", example))


@pytest.mark.parametrize("tokens", ["words", "characters"])
def test_texts(tmp_path, tokens):
    texts = [f"Ein schöner Tag_{number % 7}, naïve? {'x' * number}" for number in range(80)]
    lines = ["text,label", *(f'"{text}",{number % 2}' for number, text in enumerate(texts))]
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    data = f"{{kind: csv, path: t.csv, text: text, label: label, tokens: {tokens}, length: 30, vocabulary: 20}}"
    (tmp_path / "t.yaml").write_text(f"name: t\ndata: {data}\n")
    task = open_task(str(tmp_path / "t.yaml"))
    text = texts[int(task.test.name(0).removeprefix("line ")) - 2]
    _same(task, task.test, 0, _prepared(task, tmp_path / "own", json.dumps(text)))
    facts = task.modality.preprocessing()
    assert (facts["vocabulary"], facts["vocabulary_size"]) == ("vocabulary.json", len(task.modality.vocabulary))


def test_what_the_manifest_says_of_images():
    facts = open_task("digits").modality.preprocessing()
    assert list(facts) == [
        "layout", "shape", "channels", "images", "stored", "pixels", "white", "scale", "mean", "std",
    ]  # fmt: skip
    assert (facts["shape"], facts["channels"], facts["images"]) == ([1, 8, 8], "grey", "float32")
