"""Publishing into a real database: a command killed at any point, then called again, leaves everything once."""

import json
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
import torch
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import TrialState

from automl_kd.execution import Trained
from automl_kd.hardware import load_profile
from automl_kd.recipes import Recipe
from automl_kd.storage import ArtifactStore, StudyRecord
from automl_kd.students import build, save_weights
from automl_kd.studies.clock import Clock
from automl_kd.studies.objectives import StudyObjectives, parse_objectives
from automl_kd.studies.pick import Pick, RunOnTest, RunResult
from automl_kd.studies.pick_attributes import PICK
from automl_kd.studies.pick_result import finding
from automl_kd.studies.publishing import Publisher
from automl_kd.studies.record import StudyBook
from automl_kd.studies.report import publish_report
from automl_kd.studies.state import ACCURACY
from automl_kd.studies.study_files import StudyFiles
from automl_kd.studies.summary import summarize
from automl_kd.tasks import metric_named, open_task

FILES = ["manifest.json", "model_card.md", "recipe.yaml", "student.onnx"]
TASK = "digits"
SETTINGS = {"task": TASK, "hw": "jetson-nano", "space": "tiny_cnn", "seed": 0, "limits": {}}


class Killed(BaseException):
    """In place of a signal that nothing catches."""


@pytest.fixture(scope="module")
def recipe():
    student = {"family": "resnet", "depth": 8, "width": 0.25, "stem": {"stride": 2}}
    return Recipe.model_validate({"task": "digits", "student": student, "train": {"epochs": 9}})


@pytest.fixture(scope="module")
def weights(recipe, tmp_path_factory):
    task = open_task("digits")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = build(recipe.student, task.signature)
    path = tmp_path_factory.mktemp("weights") / "student.safetensors"
    save_weights(student, path)
    return path


@pytest.fixture
def pick(open_store, propose_for, recipe):
    """The search has one complete trial; its training in full, and its test, are known."""
    store = open_store()
    candidate = propose_for(store).next()
    for rung in (0, 1):
        store.arrive(candidate, rung, Trained(0.7, 0.01, {"accuracy": 0.7}, epoch=9, seconds=1.0, between=None))
    candidate.recipe = recipe
    pick = Pick(candidate, "knee", 0, 0.1, epochs=9, score=ACCURACY)
    run = next(pick.runs(0))
    pick.results[run] = RunResult(score=0.7, error=0.01, values={"accuracy": 0.7}, epochs=9, seconds=1.0)
    pick.tests[run] = RunOnTest({"accuracy": 0.8}, np.array([[1.0]] * 4 + [[0.0]]))
    return pick


@pytest.fixture
def open_publisher(database, pick, pricing):
    """A publisher as a command that starts (again) makes it."""
    database.save_study(StudyRecord("cam", {}, SETTINGS, 60.0))
    profile, task = load_profile("jetson-nano"), open_task(TASK)

    def open_publisher():
        record = database.study("cam")
        objectives = StudyObjectives(ACCURACY, parse_objectives((), "jetson-nano"))
        context = SimpleNamespace(
            name="cam",
            database=database,
            storage=database.optuna(),
            files=StudyFiles(database.files / "cam"),
            book=StudyBook(database, record, Clock({}, 60.0, 0.0)),
            objectives=objectives,
            request=SimpleNamespace(allow_code=False),
            prepared=SimpleNamespace(task=task, profile=profile, pricing=pricing, objectives=objectives),
        )
        return Publisher(context)

    return open_publisher


@pytest.fixture
def stored(database):
    """The trials of the picks' study."""

    def stored(state=None):
        study = optuna.load_study(study_name="cam-picks", storage=database.optuna())
        return study.get_trials(states=None if state is None else (state,))

    return stored


@pytest.fixture
def kill_at_write(monkeypatch):
    """Kills the publisher while it writes an artifact: the number of writes that still succeed."""

    def kill_at_write(number):
        real, left = ArtifactStore.write, [number]

        def write(self, artifact_id, content_body):
            if not left[0]:
                monkeypatch.setattr(ArtifactStore, "write", real)
                raise Killed
            left[0] -= 1
            real(self, artifact_id, content_body)

        monkeypatch.setattr(ArtifactStore, "write", write)

    return kill_at_write


def reports(database):
    """The content of every report that the study's page in the dashboard lists."""
    storage = database.optuna()
    store = ArtifactStore(database.files / "artifacts")
    found = []
    for meta in get_all_artifact_meta(optuna.load_study(study_name="cam", storage=storage)):
        assert (meta.filename, meta.mimetype) == ("report.html", "text/html")
        with store.open_reader(meta.artifact_id) as file:
            found.append(file.read())
    return found


def content_files(database):
    return [path for path in (database.files / "artifacts" / "content").iterdir() if path.is_file()]


@pytest.fixture
def publish(open_publisher, database):
    """Publishes the report of the study."""
    open_publisher()
    return lambda: publish_report(database, database.optuna(), "cam")


def test_a_newer_report_takes_the_place_of_the_one_before(publish, database):
    for budget in (60.0, 120.0):
        record = database.study("cam")
        database.save_study(StudyRecord("cam", record.identity, record.settings, budget))
        path = publish()
        assert reports(database) == [path.read_bytes()]
    assert len(content_files(database)) == 1


@pytest.mark.parametrize("before", [0, 1], ids=["first report", "second report"])
def test_a_kill_while_the_report_is_stored_is_mended_by_the_next(publish, database, kill_at_write, before):
    for _ in range(before):
        publish()
    kill_at_write(0)
    with pytest.raises(Killed):
        publish()

    path = publish()

    assert reports(database) == [path.read_bytes()]


@pytest.fixture
def deliver(open_publisher, pick, weights):
    """Delivers the pick as a command that starts (again) does."""

    def deliver():
        found = finding(pick, metric_named("accuracy", "multiclass", 10))
        open_publisher().deliver(pick, found, weights)

    return deliver


@pytest.fixture
def folder(database):
    """Where the pick is delivered."""
    return StudyFiles(database.files / "cam").pick(0)


def extend(database):
    """The study is given more time, which begins another round."""
    StudyBook(database, database.study("cam"), Clock({}, 60.0, 0.0)).extend(60.0)


def test_a_pick_is_stored_once_a_round(deliver, stored, pick, folder, database):
    deliver()
    delivered = (folder / "manifest.json").stat().st_mtime_ns
    (run,) = pick.tests
    pick.tests[run] = RunOnTest({"accuracy": 0.9}, np.array([[1.0]] * 9 + [[0.0]]))
    deliver()

    (trial,) = stored()
    (entry,) = summarize(database, "cam").picks
    assert (entry.test_score, entry.test_accuracy, entry.round) == (0.8, 0.8, 1)
    assert (folder / "manifest.json").stat().st_mtime_ns == delivered  # what is told and what is delivered agree
    assert (trial.state, trial.values) == (TrialState.COMPLETE, [0.8, entry.latency_ms])

    extend(database)
    deliver()
    assert [trial.values[0] for trial in stored(TrialState.COMPLETE)] == [0.8, 0.9]
    (entry,) = summarize(database, "cam").picks
    assert (entry.test_score, entry.round) == (0.9, 2)


def test_a_folder_that_is_gone_is_delivered_again_and_not_stored_again(deliver, stored, folder, tmp_path):
    deliver()
    folder.rename(tmp_path / "elsewhere")
    deliver()
    assert (folder / "student.onnx").exists()
    assert len(stored()) == 1


def test_a_quantised_pick_is_stored_and_told_beside_its_float(deliver, database, folder, pick, recipe):
    pick.candidate.recipe = recipe.with_(compress=[{"stage": "quantise", "examples": 64, "keep_float": ["first"]}])
    pick.results.clear()
    pick.tests.clear()
    run = next(pick.runs(0))
    pick.results[run] = RunResult(score=0.7, error=0.01, values={"accuracy": 0.7}, epochs=9, seconds=1.0)
    whole = RunOnTest({"accuracy": 1.0}, np.ones((5, 1)))
    pick.tests[run] = RunOnTest({"accuracy": 0.8}, np.array([[1.0]] * 4 + [[0.0]]), whole)
    deliver()

    (entry,) = summarize(database, "cam").picks
    assert (entry.test_score, entry.test_score_float, entry.float_metrics) == (0.8, 1.0, {"accuracy": 1.0})
    assert entry.gain_over_float.difference == pytest.approx(-0.2)
    flash = entry.shipped.flash
    assert (flash.file, flash.float_file) == tuple(
        (folder / name).stat().st_size for name in ("student.onnx", "student.float.onnx")
    )
    assert flash.float_weights > flash.weights
    assert {layer for each in entry.shipped.in_floats for layer in each.layers if each.kept} == {"stem.0"}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["student"]["flash"] == flash.model_dump()
    assert manifest["metrics"]["mean_float"] == {"accuracy": 1.0}
    for told in (folder / "model_card.md", folder / "report.html", publish_report(database, database.optuna(), "cam")):
        said = told.read_text(encoding="utf-8")
        assert "In float32 the same weights reach 100.0 %; int8 (mixed) changes that by −20.0 points" in said
        assert "The recipe keeps stem.0 in floats." in said


@pytest.mark.parametrize("writes", [0, 3])
def test_the_trial_of_a_killed_publisher_is_told_fail(deliver, database, stored, kill_at_write, folder, writes):
    kill_at_write(writes)
    with pytest.raises(Killed):
        deliver()
    assert [trial.state for trial in stored()] == [TrialState.RUNNING]

    deliver()

    failed, complete = stored()
    assert (failed.state, complete.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert PICK not in failed.user_attrs
    metas = get_all_artifact_meta(complete, storage=database.optuna())
    assert sorted(meta.filename for meta in metas) == FILES
    store = ArtifactStore(database.files / "artifacts")
    for meta in metas:
        with store.open_reader(meta.artifact_id) as file:
            assert file.read() == (folder / meta.filename).read_bytes()


def test_a_pick_of_before_arms_were_delivered_has_the_searched_losses(deliver, database, stored, recipe):
    deliver()
    study = optuna.load_study(study_name="cam-picks", storage=database.optuna())
    earlier = study.ask()
    price = {"latency_ms": 1.0, "latency_low": 0.9, "latency_high": 1.2, "onnx_max_difference": 0.0}
    training = {"trial": 7, "role": "knee", "origin": "distilled in full", "seeds": [1000], "epochs": 9, "path": "x"}
    earlier.set_user_attr("akd:recipe", recipe.document())
    earlier.set_user_attr(PICK, training | price | {"test_accuracy": 0.75, "no_distillation": 0.5, "round": 60.0})
    study.tell(earlier, [0.75, 1.0])

    first, second = summarize(database, "cam").picks

    assert (first.trial, second.trial) == (0, 7)
    assert (second.arm, second.searched, second.gain_over_searched) == ("searched", 0.75, None)
    assert (second.no_distillation, second.test_metrics) == (0.5, {"accuracy": 0.75})
    assert publish_report(database, database.optuna(), "cam").exists()
