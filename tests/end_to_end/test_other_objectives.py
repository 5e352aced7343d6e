"""A search for a metric that is made small, on two devices at once: what it leaves, and what it refuses."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.study import StudyDirection

import automl_kd as ak
from automl_kd.recipes import load_recipe
from automl_kd.storage import Database

SPACE = """
search_epochs: 3
student: {family: resnet, depth: 8, width: {choice: [0.25, 0.5]}, stem: {stride: 2}}
distill: {losses: {task: {weight: 1.0}, kd: {weight: 1.0, temperature: {choice: [1.0, 4.0]}}}}
train: {epochs: 3, batch_size: 128}
"""
LOSS, HERE, THERE = "log_loss", "latency_ms", "latency_ms@raspberry-pi-4"
STUDY = ("--hw", "jetson-nano", "--budget", "10m", "--space", "space.yaml", "--study", "cam", "--workers", "1")
OBJECTIVES = ("--metric", LOSS, "--objective", "latency", "--objective", "latency@raspberry-pi-4")


@pytest.fixture(scope="module")
def sought(digits_teacher, once):
    """A search of four recipes, which ends by itself."""
    return once("sought", ("search", *STUDY, *OBJECTIVES, "--device", "cpu", "--json"), space=SPACE)


@pytest.fixture(scope="module")
def storage(sought):
    return str(sought.folder / "automl-kd.db")


def dominates(one, other):
    """Whether one is nowhere worse and somewhere better, where less of everything is better."""
    values = [(one["objectives"][name], other["objectives"][name]) for name in (LOSS, HERE, THERE)]
    return all(mine <= theirs for mine, theirs in values) and any(mine < theirs for mine, theirs in values)


def test_the_answer_names_metric_and_objectives_with_direction_and_unit(sought):
    document = sought.document
    assert (document["state"], document["metric"], document["direction"]) == ("done", LOSS, "minimize")
    found = [(each["name"], each["direction"], each["unit"], each["known"]) for each in document["objectives"]]
    assert found == [
        (LOSS, "minimize", "nats", False),
        (HERE, "minimize", "ms", True),
        (THERE, "minimize", "ms", True),
    ]
    assert document["metrics"][0]["name"] == LOSS
    assert {"accuracy", "macro_f1", LOSS} <= {each["name"] for each in document["metrics"]}
    teacher = document["teacher"]
    assert 0 < teacher["score"] == teacher["metrics"][LOSS] < 1
    assert 0.9 < teacher["accuracy"] == teacher["metrics"]["accuracy"] <= 1


def test_the_front_is_of_all_three_and_what_is_called_accuracy_is_that(sought, storage):
    (summary,) = ak.status("cam", storage=storage)
    trials = [each.model_dump(mode="json") for each in summary.complete]
    front = sought.document["front"]
    best = [each for each in trials if not any(dominates(other, each) for other in trials)]
    assert {each["trial"] for each in front} == {each["trial"] for each in best}
    for each in front:
        assert each["score"] == each["metrics"][LOSS] == each["objectives"][LOSS] > 0
        assert 0 <= each["accuracy"] == each["metrics"]["accuracy"] <= 1
        low, ms, high = (each["others"]["raspberry-pi-4"][index] for index in (1, 0, 2))
        assert low <= ms == each["objectives"][THERE] <= high
        assert each["objectives"][HERE] == each["latency_ms"] != ms


def test_picks_are_delivered_and_compared_by_the_metric_in_its_own_sign(sought):
    document = sought.document
    scores = {each["trial"]: each["score"] for each in document["front"]}
    by_role = {each["role"]: each for each in document["picks"]}
    assert scores[by_role["best"]["trial"] if "best" in by_role else document["picks"][0]["trial"]] == min(
        scores.values()
    )
    for pick in document["picks"]:
        assert pick["test_score"] == pick["test_metrics"][LOSS] == pick["objectives"][f"{LOSS}"] > 0
        assert pick["test_accuracy"] == pick["test_metrics"]["accuracy"]
        assert pick["test_score_deployed"] == pytest.approx(pick["test_score"], abs=0.5)
        for arm, result in pick["arms"].items():
            assert pick[arm] == result["score"] == result["metrics"][LOSS]
            if (gain := result["gain"]) is not None:
                assert gain["low"] <= gain["difference"] <= gain["high"]
        manifest = json.loads((Path(pick["path"]) / "manifest.json").read_text())
        assert (manifest["metric"], manifest["direction"]) == (LOSS, "minimize")
        assert manifest["score"]["mean"] == pick["test_score"]
        assert manifest["accuracy"]["mean"] == pick["test_accuracy"]


def test_the_report_shows_the_metric_in_its_unit_and_both_devices(sought):
    page = (sought.folder / "automl-kd-files" / "cam" / "report.html").read_text()
    for words in ("log loss", "nats", "raspberry-pi-4", "jetson-nano"):
        assert words in page, words


def test_the_dashboard_names_values_and_directions_of_both_studies(sought, storage):
    trials = Database(storage, create=False).optuna()
    search, picks = (optuna.load_study(study_name=name, storage=trials) for name in ("cam", "cam-picks"))
    assert search.metric_names == [LOSS, HERE, THERE]
    assert picks.metric_names == [f"test_{LOSS}", HERE, THERE]
    assert search.directions == picks.directions == [StudyDirection.MINIMIZE] * 3
    values = {each.number: each.values for each in search.trials if each.values}
    for entry in sought.document["front"]:
        assert values[entry["trial"]] == [entry["objectives"][name] for name in (LOSS, HERE, THERE)]


def test_export_finds_each_end_of_the_front(sought, storage, own_cache, tmp_path):
    front = sought.document["front"]
    ends = {"best": LOSS, "fastest": HERE, "fastest on raspberry-pi-4": THERE}
    for role, name in ends.items():
        document = ak.export("cam", pick=role, out=tmp_path / role.replace(" ", "-"), storage=storage)
        picked = {each["role"]: each["trial"] for each in sought.document["picks"]}
        wanted = min(front, key=lambda each, name=name: each["objectives"][name])["trial"]
        assert document["trial"] == picked.get(role, wanted)
        assert (document["metric"], document["direction"]) == (LOSS, "minimize")
        assert document["test_score"] == document["test_metrics"][LOSS]
        assert load_recipe(tmp_path / role.replace(" ", "-") / "recipe.yaml").task.metric == LOSS


def test_the_same_command_again_finds_it_finished(inside, sought):
    again = inside(*sought.arguments, cwd=sought.folder)
    for part in ("front", "picks", "trials", "objectives"):
        assert again.document[part] == sought.document[part], part


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (OBJECTIVES[2:], "was begun with another metric"),
        (("--metric", "macro_f1", *OBJECTIVES[2:]), "was begun with another metric"),
        (OBJECTIVES[:4], "was begun with another set of objectives"),
    ],
)
def test_it_is_not_resumed_for_something_else(inside, sought, asked, told):
    with closing(sqlite3.connect(sought.folder / "automl-kd.db")) as database:
        before = list(database.iterdump())
        ended = inside("search", *STUDY, *asked, "--device", "cpu", "--extend", "1m", cwd=sought.folder)
        assert ended.code == 2
        assert told in ended.err
        assert ended.err.count("\n") == 1
        assert list(database.iterdump()) == before
