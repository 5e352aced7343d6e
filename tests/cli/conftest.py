import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from automl_kd.cli import main
from automl_kd.objectives import Objective
from automl_kd.recipes import Recipe
from automl_kd.results import (
    ArmResult,
    PhaseSeconds,
    PickResult,
    StudyResult,
    TeacherResult,
    TrialCounts,
    TrialResult,
)

ACCURACY = Objective("accuracy", "maximize", "%")
LATENCY = Objective("latency_ms", "minimize", "ms", known=True)


@dataclass(frozen=True)
class Said:
    """How the command line ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """The one JSON document on standard output."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


@pytest.fixture
def run(own_cache, capfd, monkeypatch, tmp_path):
    """The command line in this process and in an empty folder; what it writes is caught below Python."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in arguments])
        return Said(ended.value.code, *capfd.readouterr())

    return run


@pytest.fixture
def mistake(run):
    """The message of a command that must fail as a user's mistake."""

    def mistake(*arguments):
        said = run(*arguments, "--json")
        assert said.code == 2, said.out
        message = said.document["error"]
        assert said.document == {"error": message}
        assert said.err == f"automl-kd: {message}\n"
        return message

    return mistake


@pytest.fixture(scope="session")
def run_script():
    """Runs a kit's script as on a device, where nothing of the project can be imported."""

    def run_script(kit):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        words = [sys.executable, "-I", "measure.py"]
        ended = subprocess.run(
            words, cwd=kit, env=environment, capture_output=True, text=True, timeout=250, check=False
        )
        assert ended.returncode == 0, ended.stderr

    return run_script


@pytest.fixture(scope="session")
def quieten():
    """Makes a kit's results those of a machine without other programs: every run like the fastest of its model."""

    def quieten(kit):
        path = kit / "results.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        fastest: dict[str, float] = {}
        for line in lines[1:-1]:
            fastest[line["model"]] = min(line["min"], fastest.get(line["model"], line["min"]))
        for line in lines[1:-1]:
            line["min"] = line["p10"] = line["median"] = fastest[line["model"]]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    return quieten


@pytest.fixture
def entry():
    """A finished trial: the first of its metrics is the score."""

    def entry(trial, latency_ms=2.5, **metrics):
        (name, score), *_ = metrics.items()
        prices = {"latency_ms": latency_ms, "latency_ms@raspberry-pi-4": 4 * latency_ms, "memory_bytes": 90_000.0}
        return TrialResult(
            trial=trial,
            epochs=9,
            score=score,
            metrics=metrics,
            objectives={name: score, **prices},
            latency_ms=latency_ms,
            latency_low=0.5 * latency_ms,
            latency_high=2 * latency_ms,
            others={"raspberry-pi-4": (4 * latency_ms, 3 * latency_ms, 5 * latency_ms)},
            params=1000 * trial + 500,
            memory_bytes=90_000,
            coverage=1.0,
            recipe=Recipe.model_validate({"student": {"family": "resnet", "depth": 8}, "train": {"epochs": 9}}),
        )

    return entry


@pytest.fixture
def picked():
    """A finished trial distilled in full, plain KD not compared; the first of its metrics is the score."""

    def picked(of, role="knee", **metrics):
        (name, score), *_ = metrics.items()
        return PickResult(
            **{field: getattr(of, field) for field in ("trial", "latency_ms", "latency_low", "latency_high", "recipe")},
            role=role,
            round=1,
            arm="searched",
            hears_teacher=True,
            origin="distilled in full",
            seeds=(1, 2),
            epochs=9,
            test_score=score,
            test_score_std=0.004,
            test_metrics=metrics,
            test_metrics_std=dict.fromkeys(metrics, 0.004),
            arms={"searched": ArmResult(score=score, metrics=metrics, gain=None)},
            missing={"plain_kd": "the time was used up"},
            plain_kd_setting=None,
            deployed_metrics=metrics,
            test_score_deployed=score,
            objectives=of.objectives | {name: score},
            onnx_max_difference=1e-6,
            path="picks/trial-3",
        )

    return picked


@pytest.fixture
def result():
    """A study's result with a front and picks, of metrics (the first is searched) and prices."""

    def result(front=(), picks=(), metrics=(ACCURACY,), prices=(LATENCY,), teacher=None):
        return StudyResult(
            study="cam",
            task="digits",
            hw="jetson-nano",
            space="tiny_cnn",
            state="done",
            metric=metrics[0].name,
            direction=metrics[0].direction,
            metrics=metrics,
            objectives=(metrics[0], *prices),
            teacher=TeacherResult(score=teacher),
            understood=None,
            screened=3,
            trials=TrialCounts(complete=4, pruned=1, failed=0, running=0),
            front=front,
            picks=picks,
            undistilled=(),
            seconds=PhaseSeconds(budget=180, total=176, teacher=11, search=103, picks=62),
            between_ms=None,
        )

    return result
