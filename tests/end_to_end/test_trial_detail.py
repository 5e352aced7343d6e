"""What is known of single trials of a finished search: state, curve, price and its parts, where the student errs."""

import shutil

import jsonschema
import optuna
import pytest
from optuna.trial import TrialState

from automl_kd import UserError, trial_detail
from automl_kd.storage import Database
from automl_kd.studies.attributes import TrialAttributes
from automl_kd.studies.schema import schemas
from automl_kd.studies.study_files import StudyFiles
from automl_kd.tasks import open_task


@pytest.fixture(scope="module")
def copied(compressed, tmp_path_factory):
    """The search in a folder of this module's own, where no trial was asked about yet."""
    folder = tmp_path_factory.mktemp("detail") / "copy"
    shutil.copytree(compressed.folder, folder)
    shutil.rmtree(folder / "automl-kd-files" / "cam" / "details", ignore_errors=True)
    return folder


@pytest.fixture
def detail(copied, own_cache):
    def detail(number, **more):
        return trial_detail("cam", number, storage=str(copied / "automl-kd.db"), **more)

    return detail


@pytest.fixture(scope="module")
def trials(copied):
    storage = Database(str(copied / "automl-kd.db"), create=False).optuna()
    found = optuna.load_study(study_name="cam", storage=storage).get_trials()
    return [(each, TrialAttributes.of(each)) for each in found]


def complete(trials):
    return [each.number for each, _ in trials if each.state == TrialState.COMPLETE]


def delivered(folder, number):
    return StudyFiles(folder / "automl-kd-files" / "cam").pick(number).exists()


def test_a_finished_trial_tells_its_curve_its_price_by_kernels_and_its_confusions(copied, detail, trials):
    number = next(n for n in complete(trials) if not delivered(copied, n))
    kept = trials[number][1]
    found = detail(number)
    assert (found.state, found.reason, found.told) == ("complete", None, "complete after 4 epochs")
    assert [(each.epochs, each.score) for each in found.curve] == sorted(kept.scores.items())
    assert (found.recipe, found.price, found.seconds) == (kept.recipe, kept.price, kept.seconds)
    assert sum(each.ms for each in found.breakdown.parts) == pytest.approx(kept.price.latency_ms, rel=1e-6)
    assert {"conv3x3", "intercept"} <= {each.name for each in found.breakdown.parts}
    reading, split = found.reading, open_task("digits").validation
    assert (reading.student, reading.form, reading.examples) == ("search checkpoint", kept.recipe.form, len(split))
    assert set(reading.float_metrics) == (set(reading.metrics) if kept.recipe.compress else set())
    # The very student that was scored: its answers give the score that the search stored.
    assert reading.metrics["accuracy"].value == pytest.approx(kept.scores[4], abs=1e-6)
    assert sum(reading.matrix[each][each] for each in range(10)) == round(kept.scores[4] * len(split))
    assert [row.examples for row in reading.classes] == split.labels.bincount().tolist()
    assert "training begins, to epoch" in found.log[0]
    assert any("epoch 4 reached" in line for line in found.log)
    wrong = {(c.label, c.answer): c.count for c in reading.confusions}
    assert all(reading.matrix[int(label)][int(answer)] == count for (label, answer), count in wrong.items())
    accuracy = found.metrics["accuracy"]
    assert accuracy.error == kept.error
    assert accuracy.low < accuracy.value < accuracy.high
    assert all(each.error is not None for each in found.metrics.values()), "its answers tell errors of all metrics"


def test_a_pick_adds_what_it_reached_in_full_and_on_the_test_split(compressed, detail):
    pick = next(each for each in compressed.document["picks"] if each["role"] == "knee")
    found = detail(pick["trial"])
    assert found.on_front
    assert found.pick.test_score == pick["test_score"]
    assert found.shipped == found.pick.shipped
    assert found.reading.student == "delivered"
    assert {each.arm for each in found.curve if each.training == "in full"} >= set(found.pick.arms)


def test_what_is_read_once_is_kept_and_weights_that_are_gone_are_told(compressed, detail, trials, copied):
    kept, lost = complete(trials)[-2:]
    files = StudyFiles(copied / "automl-kd-files" / "cam")
    before = detail(kept)
    files.detail(lost).unlink(missing_ok=True)  # another test may have asked
    for number in (kept, lost):
        shutil.rmtree(files.pick(number), ignore_errors=True)
        files.weights(number).unlink()
    assert detail(kept).reading == before.reading is not None
    found = detail(lost)
    assert found.reading is None
    assert f"the weights of trial {lost} of study cam are gone from" in found.unread
    assert found.breakdown.parts


def test_the_verb_prints_it_and_its_json_is_as_its_schema_says(inside, copied, compressed):
    number = compressed.document["front"][0]["trial"]
    ended = inside("trial", str(number), "--study", "cam", cwd=copied)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"trial {number} of study cam: complete after 4 epochs, on the front")
    for part in ("accuracy on search-validation: 4 epochs ", "conv3x3", "class  examples", "recipe:\nversion: 1"):
        assert part in ended.out
    document = inside("trial", str(number), "--json", cwd=copied).document
    jsonschema.validate(document, schemas()["trial-detail.json"])
    assert document["trial"] == number


def test_unknown_trials_and_studies_are_refused_in_a_line(inside, copied, detail):
    with pytest.raises(UserError, match=r"study cam has no trial 9999; it has those from 0 to \d+"):
        detail(9999)
    ended = inside("trial", "3", "--study", "can", cwd=copied)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "unknown study in automl-kd.db: 'can'" in ended.err
