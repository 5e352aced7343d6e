"""A task file is written for pictures and tables that are there, and is one that a search takes."""

import numpy as np
import pytest
from PIL import Image

from automl_kd.tasks import open_task
from automl_kd.workflows.first_teacher import first_teacher


@pytest.fixture
def photos(tmp_path):
    """A folder of thirty pictures of two classes, beside which the command runs."""
    rng, folder = np.random.default_rng(0), tmp_path / "here" / "photos"
    for index in range(30):
        path = folder / ("cat", "dog")[index % 2] / f"{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (20, 26, 3), np.uint8)).save(path)
    return folder


def test_a_folder_of_pictures_becomes_a_task_that_can_be_searched(run, mistake, photos):
    made = run("task", "init", "photos", "--out", "pets.yaml", "--json").document
    assert made["understood"]["data"]["class_names"] == ["cat", "dog"]
    assert made["understood"]["teacher"]["status"] == "to be trained"
    assert made["next"].startswith("automl-kd search --task pets.yaml")
    task = open_task("pets.yaml")
    assert (task.name, task.signature.input.shape, len(task.train) + len(task.validation) + len(task.test)) == (
        *("pets", (3, 16, 16)),
        30,
    )

    before = (photos.parent / "pets.yaml").read_text()
    assert "exists" in mistake("task", "init", "photos", "--out", "pets.yaml")
    assert (photos.parent / "pets.yaml").read_text() == before


def test_what_is_commented_out_can_be_said(run, photos):
    run("task", "init", "photos", "--out", "pets.yaml")
    path = photos.parent / "pets.yaml"
    said = path.read_text()
    for comment in ("skip_damaged: true", "background: white", "splits: {", "metric: balanced_accuracy"):
        assert f"# {comment}" in said
        said = said.replace(f"# {comment}", comment)
    path.write_text(said)
    assert open_task(str(path)).metric.name == "balanced_accuracy"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("path,label", "{file},{label}"),
        ("kind,photo,who,part", "{label},{file},ann,{split}"),
        ("body,mood", "it is a {label} indeed,{label}"),
    ],
)
def test_a_table_shows_which_column_is_which(run, photos, header, row):
    files = sorted(photos.rglob("*.png"))
    columns = header.replace(",who", "").replace("kind", "category")
    rows = [
        row.replace(",ann", "").format(
            file=f"photos/{each.parent.name}/{each.name}",
            label=each.parent.name,
            split=("train", "train", "val", "test")[number % 4],
        )
        for number, each in enumerate(files)
    ]
    (photos.parent / "list.csv").write_text("\n".join([columns, *rows]) + "\n")
    made = run("task", "init", "list.csv", "--out", "listed.yaml", "--json").document
    assert made["understood"]["data"]["class_names"] == ["cat", "dog"]
    assert made["understood"]["data"]["modality"] == ("text" if "body" in header else "image")


def test_the_teacher_is_a_published_network_that_is_here_and_is_trained_in_a_minute(photos, monkeypatch):
    pytest.importorskip("timm")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(photos.parent))
    weights = photos.parent / "automl-kd" / "weights" / "lcnet_050.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    (photos.parent / "data.yaml").write_text(f"name: pets\ndata: {{kind: image-folder, path: {photos}, size: 64}}\n")
    training = first_teacher(open_task(str(photos.parent / "data.yaml")))["train"]
    assert training["student"] == {"family": "timm", "model": "lcnet_050", "start": {"weights": "pretrained"}}
    assert training["train"]["epochs"] == 12


def test_damaged_pictures_are_refused_or_left_out_as_said_and_a_refusal_leaves_no_file(run, mistake, photos):
    (photos / "cat" / "00.png").write_bytes((photos / "cat" / "00.png").read_bytes()[:60])
    assert "00.png" in mistake("task", "init", "photos", "--out", "pets.yaml")
    assert not (photos.parent / "pets.yaml").exists()
    made = run("task", "init", "photos", "--out", "pets.yaml", "--skip-damaged", "--json").document
    assert any("00.png" in line for line in made["understood"]["warnings"])
    assert "skip_damaged: true" in (photos.parent / "pets.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "--out", "a.yaml"), "no such file or folder"),
        (("photos", "--out", "a.txt"), "should end in .yaml"),
        (("photos/cat", "--out", "a.yaml"), "no sub-folders"),
        (("odd.csv", "--out", "a.yaml"), "its columns one, two do not show"),
        (("photos", "--out", "a.yaml", "--teacher", "net.h5"), "net.h5"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(mistake, photos, arguments, said):
    (photos.parent / "odd.csv").write_text("one,two\n1,2\n2,3\n")
    assert said in mistake("task", "init", *arguments)
    assert not list(photos.parent.glob("a.*"))
