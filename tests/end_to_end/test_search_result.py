"""What a search of digits leaves behind: its JSON, its files, its studies."""

import hashlib
import json
from pathlib import Path

import onnxruntime
import optuna
import pytest
from optuna.trial import TrialState

from automl_kd.hardware import load_profile
from automl_kd.recipes import load_recipe
from automl_kd.storage import Database
from automl_kd.studies.attributes import TrialAttributes
from automl_kd.studies.pricing import Pricing
from automl_kd.tasks import open_task

FILES = {
    *("student.onnx", "student.safetensors", "recipe.yaml", "run.py", "labels.txt"),
    *("model_card.md", "report.html", "manifest.json"),
}


@pytest.fixture(scope="module")
def storage(searched):
    return Database(str(searched.folder / "automl-kd.db"), create=False).optuna()


@pytest.fixture(scope="module")
def trials(storage):
    return optuna.load_study(study_name="cam", storage=storage).get_trials()


def test_the_whole_command_ends_within_its_budget(searched):
    assert searched.ended.seconds <= 45 + max(0.05 * 45, 15)
    assert searched.document["seconds"]["budget"] == 45
    assert searched.document["seconds"]["total"] <= searched.ended.seconds


def test_the_answer_is_one_json_document_of_the_promised_shape(searched):
    document = searched.document
    assert searched.ended.out.count("\n") == 1
    assert (document["study"], document["task"], document["hw"]) == ("cam", "digits", "jetson-nano")
    assert 0.9 < document["teacher"]["accuracy"] <= 1
    data, (teacher,) = document["understood"]["data"], document["understood"]["teacher"]["members"]
    assert {split: sum(numbers) for split, numbers in data["counts"].items()} == {
        "train": 1000,
        "validation": 300,
        "test": 497,
    }
    assert teacher["correct"] == document["teacher"]["validation_accuracy"] > 0.9 > teacher["chance"]
    assert document["trials"].keys() >= {"complete", "pruned", "failed"}
    assert document["seconds"].keys() >= {"budget", "total", "teacher", "search", "picks"}
    assert document["trials"]["complete"] >= len(document["front"]) >= 1
    assert document["trials"]["failed"] == 0
    for entry in document["front"]:
        expected = {"trial", "accuracy", "latency_ms", "latency_low", "latency_high", "params", "recipe"}
        assert entry.keys() >= expected
        assert entry["latency_low"] <= entry["latency_ms"] <= entry["latency_high"]
    assert 1 <= len(document["picks"]) <= 5
    for pick in document["picks"]:
        assert pick.keys() >= {"trial", "test_accuracy", "test_accuracy_std", "test_accuracy_deployed", "path"}
        assert pick.keys() >= {"no_distillation", "plain_kd", "latency_ms"}
        assert (pick["trial"] in [entry["trial"] for entry in document["front"]]) == (pick["role"] != "near tie")


def test_no_point_of_the_front_dominates_another(searched):
    front = searched.document["front"]
    latencies = [entry["latency_ms"] for entry in front]
    accuracies = [entry["accuracy"] for entry in front]
    assert latencies == sorted(set(latencies))
    assert accuracies == sorted(set(accuracies))


def test_every_pick_is_delivered_with_the_files_and_hashes_of_its_manifest(searched):
    for pick in searched.document["picks"]:
        folder = Path(pick["path"])
        assert {path.name for path in folder.iterdir()} == FILES
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["files"].keys() == FILES - {"manifest.json"}
        for name, sha256 in manifest["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256, name
        recipe = load_recipe(folder / "recipe.yaml")
        assert (recipe.task.name, recipe.hw, recipe.train.epochs) == ("digits", "jetson-nano", 9)


def test_a_delivered_onnx_file_reads_the_test_split_as_well_as_the_answer_says(searched):
    pick = searched.document["picks"][0]
    task = open_task("digits")
    session = onnxruntime.InferenceSession(Path(pick["path"]) / "student.onnx", providers=["CPUExecutionProvider"])
    images = task.modality.prepare(task.test.inputs).numpy()
    (logits,) = session.run(None, {session.get_inputs()[0].name: images})
    # The answer is the mean over seeds, the file is the seed that did best on search-validation.
    assert abs((logits.argmax(1) == task.test.labels.numpy()).mean() - pick["test_accuracy"]) < 0.1


def test_nothing_over_the_limit_was_even_proposed(searched, trials, cheap_space, median_latency):
    pricing = Pricing(open_task("digits"), load_profile("jetson-nano"))
    assert searched.document["screened"] == 0, "half of the space is over the limit, and the sampler knows it"
    prices = pricing.price([cheap_space.from_params(trial.params) for trial in trials])
    assert max(price.here.ms for price in prices) <= median_latency
    files = {path.stem for path in (searched.folder / "automl-kd-files" / "cam" / "students").iterdir()}
    assert files == {f"trial-{trial.number}" for trial in trials if trial.state == TrialState.COMPLETE}


def test_only_the_top_rung_is_complete_and_nothing_is_left_open(searched, trials):
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    # What cannot be trained is passed over: a loss that is constant on the student's last map, for example.
    kept = {trial.number: TrialAttributes.of(trial) for trial in trials}
    ended = [trial for trial in trials if kept[trial.number].ending != "passed over"]
    assert {trial.state for trial in ended} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.WAITING}
    for trial in complete:
        attributes = kept[trial.number]
        assert trial.values == [attributes.scores[9], attributes.price.latency_ms]
        assert 3 in attributes.scores, "it came through the lower rung"
        assert attributes.metrics["accuracy"] == attributes.scores[9]
    stopped = [each for each in trials if each.state == TrialState.PRUNED and kept[each.number].price is not None]
    assert all(9 not in kept[trial.number].scores for trial in stopped)
    assert searched.document["trials"]["complete"] == len(complete)
    assert searched.document["trials"]["pruned"] == len(stopped)


def test_checkpoints_of_ended_trials_are_gone(searched, storage):
    checkpoints = searched.folder / "automl-kd-files" / "cam" / "checkpoints"
    assert [path.name for path in checkpoints.iterdir() if path.is_file()] == []


def test_the_dashboard_has_both_studies_with_names_notes_artifacts_and_the_front(searched, storage):
    from optuna.artifacts import get_all_artifact_meta

    search, picks = (optuna.load_study(study_name=name, storage=storage) for name in ("cam", "cam-picks"))
    assert search.metric_names == ["accuracy", "latency_ms"]
    assert picks.metric_names == ["test_accuracy", "latency_ms"]
    assert [meta.filename for meta in get_all_artifact_meta(search)] == ["report.html"]
    shown = storage.get_study_system_attrs(search._study_id) | storage.get_study_system_attrs(picks._study_id)
    assert any(key.startswith("dashboard:plot_data:front") for key in shown)
    assert any(key.startswith("dashboard:note_str") for key in shown)
    assert len(picks.trials) == len(searched.document["picks"])
    for trial in picks.trials:
        names = {meta.filename for meta in get_all_artifact_meta(trial, storage=storage)}
        assert {"recipe.yaml", "student.onnx"} <= names
        assert f"dashboard:{trial._trial_id}:note_str:0" in shown
