"""The candidates of a study: in memory for decisions, in Optuna's storage for keeps."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from automl_kd.controller import Point, pareto_front
from automl_kd.hardware import Prediction
from automl_kd.recipes import Recipe
from automl_kd.samplers import KnowsWorth
from automl_kd.studies.policy import RungRecord

Status = Literal["waiting", "running", "complete", "pruned", "failed"]
DIRECTIONS: list[Literal["maximize", "minimize"] | StudyDirection] = ["maximize", "minimize"]
METRICS = ("accuracy", "latency_ms")
_STATES: Mapping[TrialState, Status] = {
    TrialState.RUNNING: "waiting",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass
class Candidate:
    """One trial that was not screened.

    Attributes:
        number: The trial's number.
        recipe: Its recipe.
        price: Latency, memory and size, as stored.
        accuracies: Search-validation accuracy by rung.
        status: What it does.
        seconds: Its training time so far.
        attempts: Times that its worker died under it.
        fault: Why it cannot be trained, where it failed.
    """

    number: int
    recipe: Recipe
    price: Mapping[str, Any]
    accuracies: dict[int, float] = field(default_factory=dict)
    status: Status = "waiting"
    seconds: float = 0.0
    attempts: int = 0
    fault: str | None = None

    @property
    def latency_ms(self) -> float:
        return float(self.price["latency_ms"])

    def seconds_per_epoch(self, rungs: tuple[int, ...]) -> float | None:
        """Training time of an epoch, None before the first rung."""
        return self.seconds / rungs[max(self.accuracies)] if self.accuracies else None


class TrialStore:
    """All candidates of a study; every change is stored before it counts.

    A paused trial stays RUNNING in Optuna with attributes (``akd:rung``, ``akd:accuracy@<epoch>``): Optuna has no
    pausing, and a trial told PRUNED can never be promoted again.

    Args:
        storage: Optuna's storage.
        name: The study's name; it is created where it does not exist.
        rungs: Epochs at which candidates are compared.
        sampler: What the study asks; Optuna's own where none is given.
    """

    def __init__(
        self,
        storage: RDBStorage,
        name: str,
        rungs: tuple[int, ...],
        sampler: optuna.samplers.BaseSampler | None = None,
    ) -> None:
        self.study = optuna.create_study(
            storage=storage, study_name=name, directions=DIRECTIONS, load_if_exists=True, sampler=sampler
        )
        name_metrics(self.study, METRICS)
        self.rungs = rungs
        self.screened = 0
        self.candidates: dict[int, Candidate] = {}
        self._storage = storage
        self._ids: dict[int, int] = {}
        self._worth: Mapping[int, float] = {}
        self._worth_at = 0
        self._full_cost = 1.0
        for trial in self.study.get_trials(deepcopy=False):
            self._adopt(trial)

    def add(self, trial: optuna.Trial, recipe: Recipe, price: Prediction) -> Candidate:
        """A new candidate that passed the limits."""
        stored = self.stored(price)
        candidate = Candidate(trial.number, recipe, stored)
        self._set(trial.number, "akd:price", stored)
        self._set(trial.number, "akd:recipe", recipe.document())
        self.candidates[trial.number] = candidate
        return candidate

    def take_over(self, trials: Sequence[optuna.trial.FrozenTrial]) -> None:
        """Add trials that other studies finished, as they are."""
        before = len(self.study.get_trials(deepcopy=False))
        self.study.add_trials(trials)
        for added in self.study.get_trials(deepcopy=False)[before:]:
            self._adopt(added)

    @staticmethod
    def stored(price: Prediction) -> dict[str, Any]:
        """A price as trials keep it."""
        return {
            "latency_ms": price.ms,
            "latency_low": price.low,
            "latency_high": price.high,
            "coverage": price.coverage,
            "memory_bytes": price.memory_bytes,
            "params": price.params,
            "flops": price.flops,
        }

    def screen(self, trial: optuna.Trial, reason: str) -> None:
        """A candidate that is over a limit, told PRUNED without ever being trained."""
        self._set(trial.number, "akd:screened", reason)
        self.study.tell(trial.number, state=TrialState.PRUNED)
        self.screened += 1

    def pass_over(self, trial: optuna.Trial, reason: str) -> None:
        """A proposal that is not tried (known, or too dear): FAIL, as samplers take PRUNED for a bad region's sign."""
        self._set(trial.number, "akd:passed_over", reason)
        self.study.tell(trial.number, state=TrialState.FAIL)

    def arrive(self, candidate: Candidate, rung: int, accuracy: float, seconds: float, between: float | None) -> None:
        """A candidate reached a rung; at the top one it is COMPLETE."""
        self._set(candidate.number, "akd:seconds", seconds)  # first: an accuracy without its cost would seem free
        self._set(candidate.number, f"akd:accuracy@{self.rungs[rung]}", accuracy)
        if between is not None:
            self._set(candidate.number, "akd:between", between)
        self._set(candidate.number, "akd:rung", rung)
        candidate.accuracies[rung] = accuracy
        candidate.seconds = seconds
        candidate.status = "waiting"
        if rung == len(self.rungs) - 1:
            self.study.tell(candidate.number, [accuracy, candidate.latency_ms])
            candidate.status = "complete"

    def prune(self, candidate: Candidate, reason: str) -> None:
        """A paused candidate can no longer win."""
        self._set(candidate.number, "akd:stopped", reason)
        self.study.tell(candidate.number, state=TrialState.PRUNED)
        candidate.status = "pruned"

    def fail(self, candidate: Candidate, reason: str) -> None:
        """A candidate cannot be trained."""
        self._set(candidate.number, "akd:failed", reason)
        self.study.tell(candidate.number, state=TrialState.FAIL)
        candidate.status, candidate.fault = "failed", reason

    def note_death(self, candidate: Candidate) -> None:
        """Its worker died under it; counted, so that a candidate that kills its worker does so only twice."""
        candidate.attempts += 1
        candidate.status = "waiting"
        self._set(candidate.number, "akd:attempts", candidate.attempts)

    def rung_records(self) -> list[RungRecord]:
        """The candidates as the controller sees them."""
        return [
            RungRecord(each.number, each.latency_ms, each.accuracies, each.status == "waiting")
            for each in self.candidates.values()
            if each.status != "failed"
        ]

    @property
    def _judge(self) -> KnowsWorth | None:
        """The sampler, if it can say what a trial is worth."""
        sampler = self.study.sampler
        return sampler if isinstance(sampler, KnowsWorth) else None

    def renew_candidates(self) -> None:
        """Let the sampler price its candidates anew, because what the budget can hold has changed."""
        if self._judge is not None:
            self._judge.renew()

    def worth(self) -> Mapping[int, float] | None:
        """What finishing each paused candidate is expected to add to the front, None where the sampler cannot tell.

        It is asked again only once a candidate has arrived somewhere since.
        """
        if self._judge is None:
            return None
        arrived = sum(len(each.accuracies) for each in self.candidates.values())
        if arrived != self._worth_at:
            waiting = [each.number for each in self.candidates.values() if each.accuracies and each.status == "waiting"]
            self._worth, self._worth_at = self._judge.expected_improvements(self.study, waiting), arrived
        return self._worth

    def expected_gain(self) -> float | None:
        """What the last proposal is expected to add, as a share of the front's hypervolume; None where that is open."""
        return None if self._judge is None else self._judge.improvement

    def complete(self) -> list[Point]:
        """The candidates at the top rung."""
        top = len(self.rungs) - 1
        return [
            Point(each.number, each.accuracies[top], each.latency_ms)
            for each in self.candidates.values()
            if each.status == "complete"
        ]

    def count(self, status: Status) -> int:
        """How many candidates have this status."""
        return sum(each.status == status for each in self.candidates.values())

    def seconds_per_epoch(self) -> list[float]:
        """Training time of an epoch, of every candidate that reached a rung."""
        known = (each.seconds_per_epoch(self.rungs) for each in self.candidates.values())
        return [each for each in known if each is not None]

    def epochs_seen(self) -> list[tuple[float, float]]:
        """Operations of a student and the training time of its epoch, of every candidate that reached a rung."""
        return [
            (float(each.price["flops"]), per_epoch)
            for each in self.candidates.values()
            if each.price.get("flops") and (per_epoch := each.seconds_per_epoch(self.rungs))
        ]

    def learn_from_full_runs(self, results: Iterable[Mapping[str, Any]]) -> None:
        """Compare what full trainings took with what the search's trainings of the same candidates let expect.

        Args:
            results: Of finished full trainings: ``trial``, ``epochs`` and ``seconds`` each; others are passed over.
        """
        ratios = []
        for result in results:
            candidate = self.candidates.get(result.get("trial", -1))
            per_epoch = None if candidate is None else candidate.seconds_per_epoch(self.rungs)
            if per_epoch and result.get("epochs"):
                ratios.append(result["seconds"] / result["epochs"] / per_epoch)
        self._full_cost = statistics.fmean(ratios) if ratios else 1.0

    def seconds_per_full_run(self) -> float | None:
        """What a full distillation of a candidate on the front takes, None as long as nothing is known."""
        front = {point.trial for point in pareto_front(self.complete())}
        known = [
            per_epoch * each.recipe.train.epochs
            for each in self.candidates.values()
            if (each.number in front or not front) and (per_epoch := each.seconds_per_epoch(self.rungs)) is not None
        ]
        return self._full_cost * statistics.fmean(known) if known else None

    def counts(self) -> dict[str, int]:
        """Numbers of candidates by what became of them."""
        statuses: tuple[Status, ...] = ("running", "waiting", "pruned", "complete", "failed")
        return {"screened": self.screened} | {status: self.count(status) for status in statuses}

    def front(self) -> list[dict[str, Any]]:
        """The Pareto front so far, fastest first, with prices."""
        return [
            {"trial": point.trial, "accuracy": point.accuracy, **self.candidates[point.trial].price}
            for point in pareto_front(self.complete())
        ]

    def _adopt(self, trial: optuna.trial.FrozenTrial) -> None:
        attributes = trial.user_attrs
        if "akd:screened" in attributes:
            self.screened += 1
            if trial.state == TrialState.RUNNING:  # killed between the attribute and the verdict
                self.study.tell(trial.number, state=TrialState.PRUNED)
            return
        if trial.state == TrialState.WAITING:
            return
        if "akd:recipe" not in attributes:
            if trial.state == TrialState.RUNNING:  # killed between ask and price: nothing to lose
                self.study.tell(trial.number, state=TrialState.FAIL)
            return
        accuracies = {
            rung: attributes[f"akd:accuracy@{epoch}"]
            for rung, epoch in enumerate(self.rungs)
            if f"akd:accuracy@{epoch}" in attributes
        }
        candidate = Candidate(
            trial.number,
            Recipe.model_validate(attributes["akd:recipe"]),
            attributes["akd:price"],
            accuracies,
            _STATES[trial.state],
            attributes.get("akd:seconds", 0.0),
            attributes.get("akd:attempts", 0),
            attributes.get("akd:failed"),
        )
        self.candidates[trial.number] = candidate
        top = len(self.rungs) - 1
        if candidate.status == "waiting" and top in accuracies:  # killed between the attribute and the verdict
            self.study.tell(trial.number, [accuracies[top], candidate.latency_ms])
            candidate.status = "complete"

    def _set(self, number: int, key: str, value: Any) -> None:
        if number not in self._ids:
            study_id = self._storage.get_study_id_from_name(self.study.study_name)
            self._ids[number] = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        self._storage.set_trial_user_attr(self._ids[number], key, value)


def name_metrics(study: optuna.Study, names: Sequence[str]) -> None:
    """Name a study's objectives, once; Optuna calls that experimental and would warn at every start."""
    if study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(names))
