"""Studies that version 0.1 left: read, exported, gone on with (data/README.md tells how they were made)."""

import shutil
import sqlite3
import tarfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from safetensors.torch import load_file

import automl_kd as ak
from automl_kd.core import UserError
from automl_kd.distillation import find_teacher
from automl_kd.execution import Setup, TrainJob
from automl_kd.execution.job_runner import JobRunner
from automl_kd.onnxio import Session
from automl_kd.recipes import load_recipe
from automl_kd.storage import Database
from automl_kd.tasks import open_task

ARCHIVE = Path(__file__).parent / "data" / "studies_of_0_1.tar.xz"
DATABASE = "sqlite:///study.db"
BEGUN_WITH = {
    "hw": "device.yaml",
    "task": "cluttered-digits",
    "space": "space.yaml",
    "storage": DATABASE,
    "executor": "inline",
}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("of-0-1")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    with closing(sqlite3.connect(folder / "study.db")) as database:
        database.executescript((folder / "study.sql").read_text())
    return folder


@pytest.fixture
def folder(unpacked, tmp_path, monkeypatch, own_cache):
    """A copy to work in: studies as 0.1 left them."""
    shutil.copytree(unpacked, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    with closing(sqlite3.connect(folder / "study.db")) as database:
        return list(database.iterdump())


def status(name):
    (summary,) = ak.status(name, storage=DATABASE)
    return summary


def test_status_says_what_0_1_found(folder):
    found = status("finished")
    assert (found.state, found.metric, found.direction) == ("done", "accuracy", "maximize")
    assert [each.name for each in found.objectives] == ["accuracy", "latency_ms"]
    assert found.trials.model_dump() == {"complete": 4, "pruned": 4, "failed": 0, "running": 0}
    assert [(each.trial, each.score, each.accuracy) for each in found.front] == [(7, 0.324, 0.324), (0, 0.435, 0.435)]
    assert {each.trial: each.score for each in found.stopped} == {2: 0.141, 4: 0.118, 5: 0.166, 6: 0.175}
    assert (found.teacher.accuracy, found.teacher.validation_accuracy) == (0.9775, 0.972)
    (pick,) = found.picks
    assert (pick.trial, pick.role, pick.test_score, pick.test_accuracy) == (0, "knee", 0.3155, 0.3155)
    assert (pick.arm, pick.no_distillation, pick.plain_kd) == ("searched", 0.27125, 0.2605)
    assert [(each.trial, each.role) for each in found.undistilled] == [(7, "fastest"), (1, "near tie")]
    assert found.seconds.total == 111.1


def test_its_report_shows_front_and_pick(folder):
    page = ak.report("finished", out="report.html", storage=DATABASE).read_text()
    assert "43.5" in page, "of the front"
    assert "31.6" in page or "31.5" in page, "of the pick"
    assert "accuracy" in page


def test_its_pick_is_exported_as_it_was_delivered(folder):
    document = ak.export("finished", pick="knee", out="winner", storage=DATABASE)
    delivered = folder / "study-files" / "finished" / "picks" / "trial-0"
    assert (document["trial"], document["origin"], document["metric"]) == (0, "distilled in full", "accuracy")
    made, before = ((place / "student.safetensors").read_bytes() for place in (folder / "winner", delivered))
    assert made == before
    # The file holds weights with the normalisation folded in, whose last digits are those of a kind of processor.
    images = np.random.default_rng(0).standard_normal((8, 1, 16, 16), dtype=np.float32)
    made, before = (Session(place / "student.onnx").run(images) for place in (folder / "winner", delivered))
    np.testing.assert_allclose(made, before, rtol=1e-4, atol=1e-5)
    assert load_recipe(folder / "winner" / "recipe.yaml").digest() == load_recipe(delivered / "recipe.yaml").digest()


def test_its_students_are_exported_as_the_search_left_them(folder):
    document = ak.export("finished", pick="fastest", out="early", storage=DATABASE)
    student = folder / "study-files" / "finished" / "students" / "trial-7.safetensors"
    assert (document["trial"], document["origin"]) == (7, "search checkpoint")
    assert (folder / "early" / "student.safetensors").read_bytes() == student.read_bytes()
    assert document["test_accuracy"] == document["test_score"] == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metric": "macro_f1"}, "another metric"),
        ({"objectives": ("memory",)}, "another set of objectives"),
        ({"seed": 1}, "another seed"),
    ],
)
def test_it_is_not_gone_on_with_as_another(folder, change, words):
    before = contents(folder)
    with pytest.raises(UserError, match=f"study killed was begun with {words}"):
        ak.search(budget="60s", study="killed", **BEGUN_WITH, **change)
    assert contents(folder) == before


def test_a_finished_one_searched_again_stays_as_it_is(folder):
    before = status("finished")
    result = ak.search(budget="120s", study="finished", **BEGUN_WITH)
    assert (result.front, result.picks, result.seconds.total) == (before.front, before.picks, before.seconds.total)


@pytest.mark.long
def test_a_finished_one_is_extended(folder):
    before = status("finished")
    result = ak.search(budget="120s", study="finished", extend="25s", **BEGUN_WITH)
    after = status("finished")
    assert (result.state, result.seconds.budget) == ("done", 145)
    assert result.seconds.total > before.seconds.total
    assert {each.trial: each.score for each in before.complete}.items() <= {
        each.trial: each.score for each in after.complete
    }.items()
    assert {pick.round for pick in result.picks} == {2}, "of the round that was added"


def test_a_killed_one_comes_to_its_end(folder):
    before = status("killed")
    assert {each.trial: each.score for each in before.complete} == {1: 0.315}
    assert {each.trial: each.score for each in before.stopped} == {0: 0.206, 2: 0.141}
    result = ak.search(budget="60s", study="killed", **BEGUN_WITH)
    after = {each.trial: each.score for each in status("killed").complete}
    assert (result.state, result.trials.running, result.seconds.budget) == ("done", 0, 60)
    assert result.picks
    assert result.seconds.total > before.seconds.total
    assert after[1] == 0.315


def test_its_paused_training_goes_on_from_its_checkpoint(folder):
    task = open_task("cluttered-digits")
    teacher = find_teacher(task, None, device="cpu")
    setup = Setup("cluttered-digits", None, task.sha256, teacher.spec, teacher.teacher.sha256, "cpu")
    (recipe,) = [each.recipe for each in status("finished").complete if each.trial == 0]
    files = folder / "study-files"
    checkpoint, weights = files / "killed" / "checkpoints" / "trial-0.pt", folder / "student.safetensors"
    job = TrainJob(recipe, 18, 18, checkpoint, weights, deadline=time.monotonic() + 200)
    answer = JobRunner(setup, lambda: False).do(job)
    assert (answer.epoch, answer.score) == (18, pytest.approx(0.435, abs=0.03))
    uncut, cut = load_file(files / "finished" / "students" / "trial-0.safetensors"), load_file(weights)
    for name, weight in uncut.items():
        # Trained on another kind of processor, whose last digits differ from the first step on.
        assert torch.allclose(cut[name], weight, rtol=0.02, atol=0.02), name


def test_picks_of_the_latest_of_several_rounds_are_shown_until_the_next_has_its_own(folder):
    database = Database(DATABASE)
    picks = optuna.load_study(study_name="finished-picks", storage=database.optuna())
    first = next(each for each in picks.get_trials() if "akd:pick" in each.user_attrs)
    earlier = first.user_attrs["akd:pick"] | {"trial": 99, "round": 1.0}
    picks.add_trial(optuna.trial.create_trial(values=first.values, user_attrs=first.user_attrs | {"akd:pick": earlier}))
    numbers = [each.trial for each in status("finished").picks]
    assert 99 not in numbers

    record = database.study("finished")
    database.save_study(replace(record, budget=record.budget + 60))
    assert [each.trial for each in status("finished").picks] == numbers
