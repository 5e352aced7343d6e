"""A point of the front on its way to delivery: its runs, the arms beside it, and which of them is the one to ship."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from automl_kd.compression import decided
from automl_kd.distillation import MixedPrecision
from automl_kd.objectives import Objective, share_error
from automl_kd.recipes import Recipe, digest
from automl_kd.results import ARMS, Arm, Error, Metrics, UndistilledPick
from automl_kd.studies.policy import PLAIN_KD, from_scratch, no_distillation, of_length, plain_kd
from automl_kd.studies.trials import Candidate

FIRST_SEED = 1000
"""Seeds of full distillations start here, apart from the search's."""
KNEE = "knee"
"""The role of the pick between the ends of the front."""
Statistics = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One full training.

    Attributes:
        pick: The trial it belongs to.
        arm: The losses that were searched, none, soft targets alone, or those that were searched from random weights.
        seed: Position among the seeds.
        recipe: What is trained.
        setting: Temperature and weight, of plain KD.
        kept: Whether it is the search's own training of the candidate, not one from scratch.
    """

    pick: int
    arm: Arm
    seed: int
    recipe: Recipe = field(hash=False)  # a user's own losses are a dict
    setting: tuple[float, float] | None = None
    kept: bool = False

    def key(self, study_hash: str) -> str:
        """What its result is stored under: equal for equal trainings of one study, so that none is done twice."""
        return digest([study_hash, self.recipe.document()])


class RunResult(BaseModel):
    """What a finished run found on search-validation, as it is stored.

    Attributes:
        score: The metric that is searched.
        error: Its standard error, None where it is not known.
        values: All metrics.
        epochs: Epochs trained.
        seconds: Training time.
        arm: Of the run.
        trial: The pick's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    score: float
    error: Error = None
    values: Metrics
    epochs: int
    seconds: float
    arm: Arm | None = None
    trial: int | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any], examples: int) -> Self:
        """From storage; version 0.1 kept an accuracy, whose error follows from the number of examples."""
        if "accuracy" in document:
            accuracy = document["accuracy"]
            error = share_error(accuracy, examples)
            document = {"score": accuracy, "error": error, "values": {"accuracy": accuracy}, **document}
        return cls.model_validate(dict(document))


@dataclass(frozen=True)
class RunOnTest:
    """What the test split says of a run.

    Attributes:
        values: All metrics.
        statistics: Of the metric that is searched, (N, K).
        uncompressed: The same of the same weights without the stages of ``compress``; None where there are none.
    """

    values: Mapping[str, float]
    statistics: Statistics
    uncompressed: RunOnTest | None = None


@dataclass
class Pick:
    """A point of the front on its way to delivery.

    Attributes:
        candidate: The trial.
        role: What it stands for on the front.
        seed: The study's.
        seconds_per_epoch: Of its training, as far as the search knows.
        epochs: Length of its full distillation and of its arms'.
        score: What scores are of.
        answered: Whether the teacher answers; of one that shows features alone there are no soft targets.
        results: What finished runs found on search-validation.
        tests: What the test split says of the reported runs.
        failed: Runs that cannot be done, and why.
        mixed_precision: Which layers compute with floats, where that was decided once there were weights.
    """

    candidate: Candidate
    role: str
    seed: int
    seconds_per_epoch: float
    epochs: int
    score: Objective
    answered: bool = True
    results: dict[Run, RunResult] = field(default_factory=dict)
    tests: dict[Run, RunOnTest] = field(default_factory=dict)
    failed: dict[Run, str] = field(default_factory=dict)
    mixed_precision: MixedPrecision | None = None

    @property
    def pretrained(self) -> bool:
        """Whether its student starts from weights."""
        return self.candidate.recipe.student.start is not None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What it is trained as. One pick tells what a start is worth: the knee, where it has one."""
        started = self.pretrained and self.role == KNEE
        return tuple(arm for arm in ARMS if arm != "from_scratch" or started)

    def runs(self, seed: int) -> Iterator[Run]:
        """All arms under one of the seeds, in the order of their worth.

        Plain KD competes with several settings under the first seed; the others follow once the best is known.
        """
        number, recipe = self.candidate.number, self.recipe(seed)
        yield Run(number, "searched", seed, recipe)
        if recipe.distill.needs_teacher():  # or it would be the same again
            yield Run(number, "no_distillation", seed, no_distillation(recipe))
        best = self.best_setting()
        settings = PLAIN_KD if seed == 0 else [best] if best else []
        for temperature, weight in settings if self.answered else ():
            yield Run(number, "plain_kd", seed, plain_kd(recipe, temperature, weight), (temperature, weight))
        if "from_scratch" in self.arms:
            yield Run(number, "from_scratch", seed, from_scratch(recipe))

    def recipe(self, seed: int) -> Recipe:
        """The candidate's recipe under one of the seeds of full distillation."""
        return of_length(self.candidate.recipe, self.epochs).with_(seed=self.seed + FIRST_SEED + seed)

    def shipped(self, run: Run) -> Recipe:
        """The recipe of what a run ships: that which it was trained by, with nothing left open."""
        if self.mixed_precision is None:
            return run.recipe
        return run.recipe.model_copy(update={"compress": decided(run.recipe.compress, self.mixed_precision.keep_float)})

    def best_setting(self) -> tuple[float, float] | None:
        """Temperature and weight of the plain KD with the best search-validation score, once all have run."""
        tried = {
            run.setting: self.score.goodness(result.score) for run, result in self.results.items() if _competes(run)
        }
        lost = sum(map(_competes, self.failed))
        if not tried or len(tried) + lost < len(PLAIN_KD):
            return None
        return max(tried, key=lambda setting: tried[setting])

    def compared(self, arm: Arm) -> list[Run]:
        """The runs of an arm that are reported, by seed; of plain KD those of its best setting."""
        best = self.best_setting()
        runs = [run for run in self.results if run.arm == arm and (arm != "plain_kd" or run.setting == best)]
        return sorted(runs, key=lambda run: run.seed)

    def tested(self, arm: Arm) -> list[Run]:
        """Those of them whose test was read."""
        return [run for run in self.compared(arm) if run in self.tests]

    def missing(self) -> dict[Arm, str]:
        """Why an arm has no result on the test split, by arm."""
        return {arm: self._why_missing(arm) for arm in self.arms if not self.tested(arm)}

    def undistilled(self) -> UndistilledPick:
        """The pick where no arm has a result on the test split."""
        return UndistilledPick(trial=self.candidate.number, role=self.role, missing=self.missing())

    def best_arm(self) -> Arm | None:
        """The arm to deliver, None where no test was read: the searched one, or one that is ahead beyond noise.

        What the search found is the best of many short trainings; over a whole one plain KD, no teacher, or random
        weights to start from can be ahead. An arm is where its lead on search-validation, over the seeds that both
        have, is more than a standard error: whichever is just ahead is not the better one on other examples. Plain KD's
        first seed chose its setting and says too much for it: it counts only where there is no other.
        """
        found = {arm: {run.seed: self.results[run] for run in self.tested(arm)} for arm in ARMS}
        ours = found["searched"]
        if not ours:  # no training with the searched losses came to its end
            return max(filter(found.get, ARMS), key=lambda arm: self._mean(found[arm].values()), default=None)

        def ahead(arm: Arm) -> float:
            """By how much beyond noise."""
            shared = ours.keys() & found[arm].keys()
            if arm == "plain_kd" and len(shared) > 1:
                shared -= {0}
            if arm == "searched" or not shared:
                return 0.0
            theirs, same = [found[arm][seed] for seed in shared], [ours[seed] for seed in shared]
            return self._mean(theirs) - self._mean(same) - _difference_error(same)

        return max(ARMS, key=ahead)

    def delivered(self) -> Run:
        """The run whose student is delivered: of the best arm's the best on search-validation."""
        runs = self.tested(self.best_arm() or "searched")
        return max(runs, key=lambda run: self.score.goodness(self.results[run].score))

    def _why_missing(self, arm: Arm) -> str:
        if arm == "no_distillation" and not self.candidate.recipe.distill.needs_teacher():
            return "the searched losses hear no teacher, so it would be the same training"
        if arm == "plain_kd" and not self.answered:
            return "the teacher shows features and gives no outputs, which it would learn from"
        if self.compared(arm):
            return "its test could not be read"
        reasons = [reason for run, reason in self.failed.items() if run.arm == arm]
        if reasons:
            return f"failed: {reasons[-1]}"
        settings = sum(map(_competes, self.results)) if arm == "plain_kd" else 0
        what = f"only {settings} of its {len(PLAIN_KD)} settings were" if settings else "not"
        return f"{what} trained before the time was used up; --extend gives more"

    def _mean(self, results: Iterable[RunResult]) -> float:
        """The mean score, larger being better."""
        return statistics.fmean(self.score.goodness(result.score) for result in results)


def _competes(run: Run) -> bool:
    return run.arm == "plain_kd" and run.seed == 0


def _difference_error(results: Sequence[RunResult]) -> float:
    """Standard error of the difference of two means over as many seeds, each network judged by other examples."""
    variances = [result.error**2 for result in results if result.error is not None]
    return math.sqrt(2 * statistics.fmean(variances) / len(results)) if variances else 0.0
