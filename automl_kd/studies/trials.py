"""The candidates of a study: in memory for decisions, in Optuna's storage for keeps."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from automl_kd.execution import Trained
from automl_kd.objectives import Point, pareto_front
from automl_kd.recipes import Recipe
from automl_kd.results import Price, TrialResult
from automl_kd.studies.attributes import TRIAL, TrialAttributes
from automl_kd.studies.objectives import StudyObjectives
from automl_kd.studies.optuna_study import open_study
from automl_kd.studies.policy import RungRecord

Status = Literal["waiting", "running", "complete", "pruned", "failed"]
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
        price: Its prices.
        known: Its values of the known objectives, in their order.
        scores: Scores on search-validation by rung.
        status: What it does.
        attributes: All that is stored of it.
    """

    number: int
    recipe: Recipe
    price: Price
    known: tuple[float, ...]
    attributes: TrialAttributes
    scores: dict[int, float] = field(default_factory=dict)
    status: Status = "waiting"

    @property
    def seconds(self) -> float:
        """Its training time so far."""
        return self.attributes.seconds

    @property
    def attempts(self) -> int:
        """Times that its worker died under it."""
        return self.attributes.attempts

    @property
    def fault(self) -> str | None:
        """Why it cannot be trained, where it failed."""
        return self.attributes.reason if self.attributes.ending == "failed" else None

    @property
    def given_up(self) -> str | None:
        """Why it is not trained on, where it was stopped or will be."""
        return (self.attributes.reason or "") if self.attributes.ending == "stopped" else None

    def seconds_per_epoch(self, rungs: tuple[int, ...]) -> float | None:
        """Training time of an epoch, None before the first rung."""
        return self.seconds / rungs[max(self.scores)] if self.scores else None


@dataclass(frozen=True)
class _Arrived:
    """What the candidates show that reached a rung; a sampler asks for it hundreds of times between two arrivals.

    Attributes:
        points: Those at the top rung.
        front: Those of them that none dominates.
        results: The same as results show them.
        seconds_per_epoch: Training time of an epoch, of all.
        epochs_seen: Operations of a student, where they are known, and the training time of its epoch.
        seconds_in_full: What a full distillation takes at the search's speed, on average over the front; over all
            before there is one.
    """

    points: Sequence[Point]
    front: Sequence[Point]
    results: Sequence[TrialResult]
    seconds_per_epoch: Sequence[float]
    epochs_seen: Sequence[tuple[float, float]]
    seconds_in_full: float | None


class TrialStore:
    """All candidates of a study; every change is stored before it counts.

    A paused trial stays RUNNING in Optuna with its attributes: Optuna has no pausing, and a trial told PRUNED can never
    be promoted again.

    Args:
        storage: Optuna's storage.
        name: The study's name; it is created where it does not exist.
        rungs: Epochs at which candidates are compared.
        objectives: What the study is of.
    """

    def __init__(self, storage: RDBStorage, name: str, rungs: tuple[int, ...], objectives: StudyObjectives) -> None:
        self.study = open_study(storage, name, objectives.all)
        self.rungs = rungs
        self.objectives = objectives
        self.screened = 0
        self.candidates: dict[int, Candidate] = {}
        self._storage = storage
        self._ids: dict[int, int] = {}
        self._full_cost = 1.0
        self._arrived: _Arrived | None = None
        for trial in self.study.get_trials(deepcopy=False):
            self._adopt(trial)

    def add(self, trial: optuna.Trial, recipe: Recipe, price: Price) -> Candidate:
        """A new candidate that passed the limits."""
        attributes = TrialAttributes(recipe=recipe, price=price)
        candidate = Candidate(trial.number, recipe, price, self.objectives.known_values(price), attributes)
        self._set(trial.number, attributes)
        self.candidates[trial.number] = candidate
        return candidate

    def take_over(self, trials: Sequence[FrozenTrial]) -> None:
        """Add trials that other studies finished, as they are."""
        before = self.count_all()
        self.study.add_trials(trials)
        for added in self.study.get_trials(deepcopy=False)[before:]:
            self._adopt(added)

    def screen(self, trial: optuna.Trial, reason: str) -> None:
        """A candidate that is over a limit, told PRUNED without ever being trained."""
        self._set(trial.number, TrialAttributes(ending="screened", reason=reason))
        self.study.tell(trial.number, state=TrialState.PRUNED)
        self.screened += 1

    def pass_over(self, trial: optuna.Trial, reason: str) -> None:
        """A proposal that is not tried (known, or too dear): FAIL, as samplers take PRUNED for a bad region's sign."""
        self._set(trial.number, TrialAttributes(ending="passed over", reason=reason))
        self.study.tell(trial.number, state=TrialState.FAIL)

    def begin(self, candidate: Candidate, until: int) -> None:
        """A candidate is trained to an epoch from now on."""
        self._change(candidate, training=until)
        candidate.status = "running"

    def rest(self, candidate: Candidate) -> None:
        """A candidate waits, its training stopped before it reached a rung."""
        self._change(candidate, training=None)
        candidate.status = "waiting"

    def arrive(self, candidate: Candidate, rung: int, trained: Trained) -> None:
        """A candidate reached a rung; at the top one it is COMPLETE."""
        known = candidate.attributes
        self._change(
            candidate,
            scores={**known.scores, self.rungs[rung]: trained.score},
            error=trained.error,
            metrics=dict(trained.values),
            seconds=trained.seconds,
            between=known.between if trained.between is None else trained.between,
            training=None,
        )
        candidate.scores[rung] = trained.score
        candidate.status = "waiting"
        if candidate.given_up is not None:
            self.prune(candidate, candidate.given_up)
        elif rung == len(self.rungs) - 1:
            self._complete(candidate)
        self._arrived = None

    def give_up(self, candidate: Candidate, reason: str) -> None:
        """A candidate that is being trained will be pruned once its worker answers; that it will be is stored now."""
        self._change(candidate, ending="stopped", reason=reason)

    def prune(self, candidate: Candidate, reason: str) -> None:
        """A paused candidate can no longer win."""
        self._change(candidate, ending="stopped", reason=reason, training=None)
        self.study.tell(candidate.number, state=TrialState.PRUNED)
        candidate.status = "pruned"

    def fail(self, candidate: Candidate, reason: str) -> None:
        """A candidate cannot be trained."""
        self._change(candidate, ending="failed", reason=reason, training=None)
        self.study.tell(candidate.number, state=TrialState.FAIL)
        candidate.status = "failed"

    def note_death(self, candidate: Candidate) -> None:
        """Its worker died under it; counted, so that a candidate that kills its worker does so only twice."""
        self._change(candidate, attempts=candidate.attempts + 1, training=None)
        candidate.status = "waiting"

    def rung_records(self) -> list[RungRecord]:
        """The candidates as the rules of promotion see them."""
        return [
            RungRecord(each.number, each.known, each.scores, each.status == "waiting")
            for each in self.candidates.values()
            if each.status != "failed"
        ]

    def complete(self) -> Sequence[Point]:
        """The candidates at the top rung."""
        return self._known.points

    def front_points(self) -> Sequence[Point]:
        """Those of them that none dominates."""
        return self._known.front

    def count(self, status: Status) -> int:
        """How many candidates have this status."""
        return sum(each.status == status for each in self.candidates.values())

    def count_all(self) -> int:
        """How many trials Optuna knows, those that were screened or passed over included."""
        return len(self.study.get_trials(deepcopy=False))

    def seconds_per_epoch(self) -> Sequence[float]:
        """Training time of an epoch, of every candidate that reached a rung."""
        return self._known.seconds_per_epoch

    def epochs_seen(self) -> Sequence[tuple[float, float]]:
        """Operations of a student and the training time of its epoch, of every candidate that reached a rung."""
        return self._known.epochs_seen

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
        known = self._known.seconds_in_full
        return None if known is None else self._full_cost * known

    def counts(self) -> dict[str, int]:
        """Numbers of candidates by what became of them."""
        statuses: tuple[Status, ...] = ("running", "waiting", "pruned", "complete", "failed")
        return {"screened": self.screened} | {status: self.count(status) for status in statuses}

    def front(self) -> Sequence[TrialResult]:
        """The Pareto front so far."""
        return self._known.results

    @property
    def _known(self) -> _Arrived:
        if self._arrived is None:
            self._arrived = self._look()
        return self._arrived

    def _look(self) -> _Arrived:
        top = len(self.rungs) - 1
        candidates = self.candidates.values()
        points = [
            Point(each.number, (each.scores[top], *each.known)) for each in candidates if each.status == "complete"
        ]
        front = pareto_front(points, self.objectives.all)
        ahead = {point.trial for point in front}
        timed = [(each, per) for each in candidates if (per := each.seconds_per_epoch(self.rungs)) is not None]
        in_full = [per * each.recipe.train.epochs for each, per in timed if each.number in ahead or not ahead]
        return _Arrived(
            points=points,
            front=front,
            results=[
                self.objectives.trial_result(point.trial, self.candidates[point.trial].attributes, point.values)
                for point in front
            ],
            seconds_per_epoch=[per for _, per in timed],
            epochs_seen=[(float(each.price.flops), per) for each, per in timed if each.price.flops and per],
            seconds_in_full=statistics.fmean(in_full) if in_full else None,
        )

    def _adopt(self, trial: FrozenTrial) -> None:
        if trial.state == TrialState.WAITING:
            return
        attributes = TrialAttributes.of(trial)
        running = trial.state == TrialState.RUNNING
        if attributes.ending == "screened":
            self.screened += 1
            if running:  # killed between the attribute and the verdict
                self.study.tell(trial.number, state=TrialState.PRUNED)
            return
        if attributes.recipe is None or attributes.price is None:
            if running:  # killed between ask and price: nothing to lose
                self.study.tell(trial.number, state=TrialState.FAIL)
            return
        candidate = Candidate(
            trial.number,
            attributes.recipe,
            attributes.price,
            self.objectives.known_values(attributes.price),
            attributes,
            {rung: attributes.scores[epoch] for rung, epoch in enumerate(self.rungs) if epoch in attributes.scores},
            _STATES[trial.state],
        )
        self.candidates[trial.number] = candidate
        self._arrived = None
        if not running:
            return
        # Killed between an attribute and its verdict.
        if candidate.given_up is not None:
            self.prune(candidate, candidate.given_up)
        elif len(self.rungs) - 1 in candidate.scores:
            self._complete(candidate)
        elif attributes.ending == "failed":
            self.fail(candidate, attributes.reason or "")

    def _complete(self, candidate: Candidate) -> None:
        self.study.tell(candidate.number, [candidate.scores[len(self.rungs) - 1], *candidate.known])
        candidate.status = "complete"

    def _change(self, candidate: Candidate, **changes: Any) -> None:
        changed = TrialAttributes(**{**dict(candidate.attributes), **changes})
        self._set(candidate.number, changed)
        candidate.attributes = changed

    def _set(self, number: int, attributes: TrialAttributes) -> None:
        if number not in self._ids:
            study_id = self._storage.get_study_id_from_name(self.study.study_name)
            self._ids[number] = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        self._storage.set_trial_user_attr(self._ids[number], TRIAL, attributes.document())
