"""Publishing into a real database: a command killed at any point, then called again, leaves everything once."""

import optuna
import pytest
import torch
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import TrialState

from automl_kd.hardware import load_profile
from automl_kd.recipes import Recipe
from automl_kd.storage import ArtifactStore, StudyRecord
from automl_kd.students import build, save_weights
from automl_kd.studies.publishing import Publisher
from automl_kd.studies.report import publish_report
from automl_kd.studies.summary import summarize
from automl_kd.tasks import open_task

FILES = ["manifest.json", "model_card.md", "recipe.yaml", "student.onnx"]
FOUND = {
    "trial": 0,
    "role": "knee",
    "arm": "searched",
    "origin": "distilled in full",
    "seeds": [1000],
    "epochs": 9,
    "test_accuracy": 0.8,
    "test_accuracy_std": None,
    "searched": 0.8,
    "no_distillation": None,
    "plain_kd": None,
    "plain_kd_setting": None,
    "gain_over_searched": None,
    "gain_over_no_distillation": None,
    "gain_over_plain_kd": None,
    "round": 60.0,
}


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
        student = build(recipe.student, input_shape=task.input_shape, classes=task.classes)
    path = tmp_path_factory.mktemp("weights") / "student.safetensors"
    save_weights(student, path)
    return path


@pytest.fixture
def open_publisher(database, open_store, supply):
    """A publisher as a command that starts (again) makes it; the search has one complete trial."""
    store = open_store()
    candidate = supply(store).next()
    for rung in (0, 1):
        store.arrive(candidate, rung, 0.7, 1.0, None)
    settings = {"task": "digits", "hw": "jetson-nano", "space": "tiny_cnn", "seed": 0, "limits": {}}
    database.save_study(StudyRecord("cam", {}, settings, 60.0))

    def open_publisher():
        profile = load_profile("jetson-nano")
        return Publisher(database, database.optuna(), "cam", open_task("digits"), profile, 0.98, allow_code=False)

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


def test_a_pick_is_stored_once_a_round(open_publisher, stored, recipe, weights, tmp_path):
    folder = tmp_path / "picks" / "trial-0"
    entry = open_publisher().pick(FOUND, recipe, weights, folder)
    delivered = (folder / "manifest.json").stat().st_mtime_ns

    again = open_publisher().pick(FOUND | {"test_accuracy": 0.9}, recipe, weights, folder)

    assert again == entry == stored()[0].user_attrs["akd:pick"]
    assert (folder / "manifest.json").stat().st_mtime_ns == delivered  # what is told and what is delivered agree
    assert [(trial.state, trial.values) for trial in stored()] == [(TrialState.COMPLETE, [0.8, entry["latency_ms"]])]

    open_publisher().pick(FOUND | {"round": 120.0}, recipe, weights, folder)
    assert [trial.user_attrs["akd:pick"]["round"] for trial in stored(TrialState.COMPLETE)] == [60.0, 120.0]


def test_a_folder_that_is_gone_is_delivered_again_and_not_stored_again(
    open_publisher, stored, recipe, weights, tmp_path
):
    folder = tmp_path / "picks" / "trial-0"
    open_publisher().pick(FOUND, recipe, weights, folder)
    folder.rename(tmp_path / "elsewhere")

    open_publisher().pick(FOUND, recipe, weights, folder)

    assert (folder / "student.onnx").exists()
    assert len(stored()) == 1


@pytest.mark.parametrize("writes", [0, 3])
def test_the_trial_of_a_killed_publisher_is_told_fail(
    open_publisher, database, stored, kill_at_write, recipe, weights, tmp_path, writes
):
    folder = tmp_path / "picks" / "trial-0"
    kill_at_write(writes)
    with pytest.raises(Killed):
        open_publisher().pick(FOUND, recipe, weights, folder)
    assert [trial.state for trial in stored()] == [TrialState.RUNNING]

    open_publisher().pick(FOUND, recipe, weights, folder)

    failed, complete = stored()
    assert (failed.state, complete.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert "akd:pick" not in failed.user_attrs
    metas = get_all_artifact_meta(complete, storage=database.optuna())
    assert sorted(meta.filename for meta in metas) == FILES
    store = ArtifactStore(database.files / "artifacts")
    for meta in metas:
        with store.open_reader(meta.artifact_id) as file:
            assert file.read() == (folder / meta.filename).read_bytes()


def test_a_pick_of_before_arms_were_delivered_has_the_searched_losses(
    open_publisher, recipe, weights, database, tmp_path
):
    earlier = {key: value for key, value in FOUND.items() if key not in ("arm", "searched", "gain_over_searched")}
    open_publisher().pick(earlier, recipe, weights, tmp_path / "pick")
    (pick,) = summarize(database, "cam")["picks"]
    assert (pick["arm"], pick["searched"], pick["gain_over_searched"]) == ("searched", 0.8, None)
    assert publish_report(database, database.optuna(), "cam").exists()
