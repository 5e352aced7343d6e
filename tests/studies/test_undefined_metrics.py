"""Metrics that the data do not define: refused where searched, left out where reported."""

import json

import numpy as np
import pytest

import automl_kd as ak
from automl_kd.core import UserError
from automl_kd.execution import Trained
from automl_kd.studies.pick import RunResult

NOT_A_NUMBER = float("nan")
TASK = """
name: halves
data: {kind: npz, path: data.npz}
teacher: {train: {student: {family: resnet, depth: 8, width: 0.25}, train: {epochs: 2}}}
"""
SPACE = """
search_epochs: 2
student: {family: resnet, depth: 8, width: 0.25, stem: {stride: 2}}
distill: {losses: {task: {weight: 1.0}}}
train: {epochs: 2, batch_size: {choice: [32, 64]}}
"""


def strict(text):
    """JSON as its standard has it, which knows no NaN."""

    def refuse(constant):
        raise AssertionError(f"{constant} in JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def halves(tmp_path, monkeypatch, own_cache):
    """A folder with a task of two classes; gives what searches it, with one class in a split."""
    monkeypatch.chdir(tmp_path)
    source = np.random.RandomState(0)

    def images(labels):
        return (source.randint(0, 40, (len(labels), 8, 8)) + 150 * labels[:, None, None]).astype(np.uint8)

    def halves(split, **options):
        labels = {"x": np.arange(160) % 2, "x_val": np.arange(40) % 2, "x_test": np.arange(40) % 2}
        labels[split] = np.zeros(40, int)
        arrays = {name: images(each) for name, each in labels.items()}
        arrays |= {name.replace("x", "y"): each for name, each in labels.items()}
        np.savez("data.npz", **arrays)
        (tmp_path / "task.yaml").write_text(TASK)
        (tmp_path / "space.yaml").write_text(SPACE)
        asked = {"task": "task.yaml", "space": "space.yaml", "executor": "inline", "study": "cam"}
        return ak.search("jetson-nano", "3m", **asked, **options)

    return halves


@pytest.mark.parametrize(("split", "words"), [("x_val", "search-validation"), ("x_test", "test")])
def test_a_searched_one_is_refused_before_anything_is_begun(halves, tmp_path, split, words):
    told = f"metric auroc: the labels of the {words} split do not define it.*--metric: accuracy, "
    with pytest.raises(UserError, match=told):
        halves(split, metric="auroc")
    assert {path.name for path in tmp_path.iterdir()} == {"data.npz", "task.yaml", "space.yaml"}


def test_a_reported_one_is_left_out_and_all_else_is_there(halves, tmp_path):
    result = halves("x_val")
    (summary,) = ak.status("cam")
    assert strict(summary.model_dump_json())["front"] == strict(result.model_dump_json())["front"]
    trial = result.front[0]
    assert "auroc" not in trial.metrics
    assert "auroc" not in result.teacher.validation_metrics
    assert trial.metrics.keys() >= {"accuracy", "macro_f1", "log_loss"}
    assert "auroc" in result.teacher.metrics, "both classes are in the test split"
    assert "auroc" in result.picks[0].test_metrics
    assert "AUROC" in ak.report("cam", out="report.html").read_text()
    document = ak.export("cam", pick=trial.trial, out="winner")
    assert document["test_metrics"]["auroc"] <= 1
    strict((tmp_path / "winner" / "manifest.json").read_text())


def test_a_trial_keeps_what_is_defined(open_store, propose_for):
    store = open_store()
    candidate = propose_for(store).next()
    values = {"accuracy": 0.5, "auroc": NOT_A_NUMBER}
    store.arrive(candidate, 1, Trained(0.5, NOT_A_NUMBER, values, epoch=9, seconds=1.0, between=None))
    kept = open_store().candidates[candidate.number].attributes
    assert (kept.metrics, kept.error, kept.scores) == ({"accuracy": 0.5}, None, {9: 0.5})
    strict(json.dumps(store.study.trials[0].user_attrs))


def test_a_full_training_keeps_what_is_defined():
    values = {"accuracy": 0.5, "auroc": NOT_A_NUMBER}
    result = RunResult(score=0.5, error=NOT_A_NUMBER, values=values, epochs=9, seconds=1.0)
    kept = strict(json.dumps(result.model_dump(mode="json")))
    assert RunResult.of(kept, examples=100) == result
    assert (result.values, result.error) == ({"accuracy": 0.5}, None)
