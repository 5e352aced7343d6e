"""A point of the front on its way to delivery: its runs, the arms beside it, and which of them is the one to ship."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.controller import difference_error, paired_difference
from automl_kd.recipes import Recipe, digest
from automl_kd.studies.policy import PLAIN_KD, no_distillation, of_length, plain_kd
from automl_kd.studies.trials import Candidate

FIRST_SEED = 1000
"""Seeds of full distillations start here, apart from the search's."""
SEARCHED, NO_DISTILLATION, PLAIN = "searched", "no_distillation", "plain_kd"
ARMS = (SEARCHED, NO_DISTILLATION, PLAIN)


@dataclass(frozen=True)
class Run:
    """One full training.

    Attributes:
        pick: The trial it belongs to.
        arm: One of ``ARMS``: the losses that were searched, none, or soft targets alone.
        seed: Position among the seeds.
        recipe: What is trained.
        setting: Temperature and weight, of plain KD.
        kept: Whether it is the search's own training of the candidate, not one from scratch.
    """

    pick: int
    arm: str
    seed: int
    recipe: Recipe = field(hash=False)  # a user's own losses are a dict
    setting: tuple[float, float] | None = None
    kept: bool = False

    def key(self, study_hash: str) -> str:
        """What its result is stored under: equal for equal trainings of one study, so that none is done twice."""
        return digest([study_hash, self.recipe.document()])


@dataclass
class Pick:
    """A point of the front on its way to delivery.

    Attributes:
        candidate: The trial.
        role: What it stands for on the front.
        seed: The study's.
        seconds_per_epoch: Of its training, as far as the search knows.
        epochs: Length of its full distillation and of its arms'.
        images: Size of the search-validation split.
        results: What finished runs found on search-validation.
        correct: Right answers of the reported runs on the test split.
        failed: Runs that cannot be done, and why.
    """

    candidate: Candidate
    role: str
    seed: int
    seconds_per_epoch: float
    epochs: int
    images: int
    results: dict[Run, dict[str, Any]] = field(default_factory=dict)
    correct: dict[Run, NDArray[np.bool_]] = field(default_factory=dict)
    failed: dict[Run, str] = field(default_factory=dict)

    def runs(self, seed: int) -> Iterator[Run]:
        """All arms under one of the seeds, in the order of their worth.

        Plain KD competes with several settings under the first seed; the others follow once the best is known.
        """
        recipe = self.recipe(seed)
        yield Run(self.candidate.number, SEARCHED, seed, recipe)
        if recipe.distill.needs_teacher():  # or it would be the same again
            yield Run(self.candidate.number, NO_DISTILLATION, seed, no_distillation(recipe))
        best = self.best_setting()
        for temperature, weight in PLAIN_KD if seed == 0 else [best] if best else []:
            arm = plain_kd(recipe, temperature, weight)
            yield Run(self.candidate.number, PLAIN, seed, arm, (temperature, weight))

    def recipe(self, seed: int) -> Recipe:
        """The candidate's recipe under one of the seeds of full distillation."""
        return of_length(self.candidate.recipe, self.epochs).with_(seed=self.seed + FIRST_SEED + seed)

    def best_setting(self) -> tuple[float, float] | None:
        """Temperature and weight of the plain KD with the best search-validation accuracy, once all have run."""
        tried = {run.setting: result["accuracy"] for run, result in self.results.items() if self._competes(run)}
        lost = sum(self._competes(run) for run in self.failed)
        if not tried or len(tried) + lost < len(PLAIN_KD):
            return None
        return max(tried, key=lambda setting: tried[setting])

    def compared(self, arm: str) -> list[Run]:
        """The runs of an arm that are reported, by seed; of plain KD those of its best setting."""
        best = self.best_setting()
        runs = [run for run in self.results if run.arm == arm and (arm != PLAIN or run.setting == best)]
        return sorted(runs, key=lambda run: run.seed)

    def tested(self, arm: str) -> list[Run]:
        """Those of them whose test was read."""
        return [run for run in self.compared(arm) if run in self.correct]

    def missing(self) -> dict[str, str]:
        """Why an arm has no test accuracy, by arm."""
        return {arm: self._why_missing(arm) for arm in ARMS if not self.tested(arm)}

    def undistilled(self) -> dict[str, Any]:
        """A pick of which no arm has a test accuracy, as plain data: trial, role, and why by arm."""
        return {"trial": self.candidate.number, "role": self.role, "missing": self.missing()}

    def _why_missing(self, arm: str) -> str:
        if arm == NO_DISTILLATION and not self.candidate.recipe.distill.needs_teacher():
            return "the searched losses hear no teacher, so it would be the same training"
        if self.compared(arm):
            return "its test could not be read"
        reasons = [reason for run, reason in self.failed.items() if run.arm == arm]
        if reasons:
            return f"failed: {reasons[-1]}"
        settings = sum(map(self._competes, self.results)) if arm == PLAIN else 0
        what = f"only {settings} of its {len(PLAIN_KD)} settings were" if settings else "not"
        return f"{what} trained before the time was used up; --extend gives more"

    def best_arm(self) -> str | None:
        """The arm to deliver, None where no test was read: the searched one, or one that is ahead beyond noise.

        What the search found is the best of many short trainings; over a whole one plain KD, or no teacher, can be
        ahead. It is where its lead on search-validation, over the seeds that both have, is more than a standard error:
        whichever is just ahead is not the better one on other images. Plain KD's first seed chose its setting and says
        too much for it: it counts only where there is no other.
        """
        found = {arm: {run.seed: float(self.results[run]["accuracy"]) for run in self.tested(arm)} for arm in ARMS}
        ours = found[SEARCHED]
        if not ours:  # no training with the searched losses came to its end
            return max(filter(found.get, ARMS), key=lambda arm: statistics.fmean(found[arm].values()), default=None)

        def ahead(arm: str) -> float:
            """By how much beyond noise."""
            shared = ours.keys() & found[arm].keys()
            if arm == PLAIN and len(shared) > 1:
                shared -= {0}
            if arm == SEARCHED or not shared:
                return 0.0
            lead = statistics.fmean(found[arm][seed] - ours[seed] for seed in shared)
            accuracy = statistics.fmean(ours[seed] for seed in shared)
            return lead - difference_error(accuracy, self.images * len(shared))

        return max(ARMS, key=ahead)

    def delivered(self) -> Run:
        """The run whose student is delivered: of the best arm's the best on search-validation."""
        return max(self.tested(self.best_arm() or SEARCHED), key=lambda run: float(self.results[run]["accuracy"]))

    def _competes(self, run: Run) -> bool:
        return run.arm == PLAIN and run.seed == 0


def measured(pick: Pick) -> dict[str, Any] | None:
    """What the runs of a pick showed on the test split, or None where no test was read.

    ``arm`` is what is delivered: ``searched``, or ``plain_kd`` or ``no_distillation`` where that was ahead. Over its
    seeds, all whose test was read: ``seeds``, ``test_accuracy`` (mean) and ``test_accuracy_std``. Over the seeds that
    it shares with each arm, the test of both read: that arm's mean (``searched``, ``no_distillation``, ``plain_kd``)
    and the gain over it (``gain_over_…``), which pairs seed by seed and example by example. So a gain can differ from
    ``test_accuracy`` minus the arm's mean; both are None where no seed is shared, and so is what is delivered's gain
    over itself. ``hears_teacher``: whether the searched losses do; else they are training without distillation.
    ``missing``: why an arm is None, by arm.
    """
    delivered = pick.best_arm()
    if delivered is None:
        return None
    tested = {arm: {run.seed: pick.correct[run] for run in pick.tested(arm)} for arm in ARMS}
    runs, own, best = pick.tested(delivered), tested[delivered], pick.best_setting()
    accuracies = [float(each.mean()) for each in own.values()]
    compared = {arm: _compared(own, tested[arm]) for arm in ARMS if arm != delivered}
    compared[delivered] = statistics.fmean(accuracies), None
    return {
        "trial": pick.candidate.number,
        "role": pick.role,
        "arm": delivered,
        "hears_teacher": pick.candidate.recipe.distill.needs_teacher(),
        "origin": "search checkpoint" if runs[0].kept else "distilled in full",
        "seeds": [run.recipe.seed for run in runs],
        "epochs": runs[0].recipe.train.epochs,
        "test_accuracy": statistics.fmean(accuracies),
        "test_accuracy_std": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "missing": pick.missing(),
        "plain_kd_setting": None if best is None else {"temperature": best[0], "weight": best[1]},
        **{arm: compared[arm][0] for arm in ARMS},
        **{f"gain_over_{arm}": compared[arm][1] for arm in ARMS},
    }


def _compared(
    ours: Mapping[int, NDArray[np.bool_]], theirs: Mapping[int, NDArray[np.bool_]]
) -> tuple[float | None, dict[str, Any] | None]:
    """The mean of the other arm and our gain over it, by the seeds that both have."""
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None, None
    arm = np.stack([theirs[seed] for seed in shared])
    return float(arm.mean()), paired_difference(np.stack([ours[seed] for seed in shared]), arm)
