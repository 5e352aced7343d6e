"""The picks phase: points of the front distilled in full, several seeds, beside arms that share everything else."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.controller import (
    FINISHING_SECONDS,
    PLAIN_KD,
    SEEDS,
    no_distillation,
    of_length,
    paired_difference,
    plain_kd,
)
from automl_kd.errors import Interrupted, UserError
from automl_kd.execution import Answer, Evaluated, EvaluateJob, Executor, Failed, Job, Stopped, Trained, TrainJob
from automl_kd.recipes import Recipe, digest
from automl_kd.storage import Database
from automl_kd.workflows._answers import take_all
from automl_kd.workflows._clock import Clock, StopRequest
from automl_kd.workflows._files import Files
from automl_kd.workflows._ledger import Candidate

FIRST_SEED = 1000
"""Seeds of full distillations start here, apart from the search's."""
TEACHER = "teacher"
_ARMS = ("pick", "no_distillation", "plain_kd")
_WAIT_SECONDS = 0.2
_FORWARD_SHARE = 0.4
"""Of a training step, what only looking at the images takes, generously."""
_READINGS = 3
"""Times that delivery reads the test split: in torch, in ONNX, and in ONNX in the precision of the device."""


@dataclass(frozen=True)
class Run:
    """One full training.

    Attributes:
        pick: The trial it belongs to.
        arm: ``pick``, ``no_distillation`` or ``plain_kd``.
        seed: Position among the seeds.
        recipe: What is trained.
        setting: Temperature and weight, of plain KD.
        searched: Whether it is the search's own training of the candidate, not one from scratch.
    """

    pick: int
    arm: str
    seed: int
    recipe: Recipe = field(hash=False)  # a user's own losses are a dict
    setting: tuple[float, float] | None = None
    searched: bool = False

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
        results: What finished runs found on search-validation.
        correct: Right answers of the reported runs on the test split.
        failed: Runs that cannot be done.
    """

    candidate: Candidate
    role: str
    seed: int
    seconds_per_epoch: float
    epochs: int
    results: dict[Run, dict[str, Any]] = field(default_factory=dict)
    correct: dict[Run, NDArray[np.bool_]] = field(default_factory=dict)
    failed: set[Run] = field(default_factory=set)

    def runs(self, seed: int) -> Iterator[Run]:
        """The pick and its arms under one of its seeds, in the order of their worth.

        Plain KD competes with several settings under the first seed; the others follow once the best is known.
        """
        recipe = self.recipe(seed)
        yield Run(self.candidate.number, "pick", seed, recipe)
        yield Run(self.candidate.number, "no_distillation", seed, no_distillation(recipe))
        best = self.best_setting()
        for temperature, weight in PLAIN_KD if seed == 0 else [best] if best else []:
            arm = plain_kd(recipe, temperature, weight)
            yield Run(self.candidate.number, "plain_kd", seed, arm, (temperature, weight))

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
        runs = [run for run in self.results if run.arm == arm and (arm != "plain_kd" or run.setting == best)]
        return sorted(runs, key=lambda run: run.seed)

    def _competes(self, run: Run) -> bool:
        return run.arm == "plain_kd" and run.seed == 0


class PickPhase:
    """Trains the runs of all picks, then reads the test split with those that are reported.

    Args:
        picks: In the order of their worth.
        study: The study's name.
        study_hash: Hash of data and teacher: what results of equal recipes depend on.
        database: Where finished runs are stored.
        pool: The workers.
        files: Where weights go.
        clock: Time left.
        stop: The user's wish to stop.
        report_seconds: Kept aside for the report.
        test_share: Images of the test split for one of the training split.

    Attributes:
        failures: Why runs could not be done, one reason a failure.
    """

    def __init__(
        self,
        picks: list[Pick],
        study: str,
        study_hash: str,
        database: Database,
        pool: Executor[Any],
        files: Files,
        clock: Clock,
        stop: StopRequest,
        report_seconds: float,
        test_share: float,
    ) -> None:
        self._picks = picks
        self._study = study
        self._hash = study_hash
        self._database = database
        self._pool = pool
        self._files = files
        self._clock = clock
        self._stop = stop
        self._report_seconds = report_seconds
        self._test_share = test_share
        self._done = database.jobs(study)
        # By key, not by run: equal trainings of two picks are one, and share a checkpoint.
        self._running: dict[str, Run] = {}
        self._died: set[str] = set()
        self._failed: set[str] = set()
        self.failures: list[str] = []

    @property
    def left(self) -> float:
        """Seconds left for training, with time to test and deliver kept aside."""
        return self._left()

    @property
    def done(self) -> int:
        """Runs that have ended."""
        return sum(len(pick.results) + len(pick.failed) for pick in self._picks)

    def step(self) -> bool:
        """Hand out work and take in answers; false once nothing runs and nothing more fits.

        Raises:
            UserError: If a training met what every other would meet, after all answers that arrived are stored.
        """
        while self._pool.idle and (run := self._next()) is not None:
            self._pool.submit(run, self._job(run))
            self._running[run.key(self._hash)] = run
        self.take_all(self._pool.wait(_WAIT_SECONDS))
        return bool(self._running) or self._next() is not None

    def take_all(self, answers: Sequence[tuple[Run, Answer]]) -> None:
        """Store what workers answered: all of it, also where one answer ends the phase.

        Raises:
            UserError: If a training met what every other would meet.
        """
        take_all(answers, self.take)

    def take(self, run: Run, answer: Answer) -> None:
        """Store what a worker answered.

        Raises:
            UserError: If the training met what every other would meet.
        """
        key, pick = run.key(self._hash), self._pick(run)
        self._running.pop(key, None)
        match answer:
            case Trained(accuracy, epoch, seconds, _):
                result = {"accuracy": accuracy, "epochs": epoch, "seconds": seconds, "arm": run.arm, "trial": run.pick}
                self._database.finish_job(self._study, key, result)
                self._done[key] = pick.results[run] = result
                self._files.job_checkpoint(key).unlink(missing_ok=True)  # only now that its result is stored
            case Stopped():
                pass
            case Failed(_, _, worker_died) if worker_died and key not in self._died:
                self._died.add(key)
            case Failed(reason, fatal, _):
                if fatal:
                    raise UserError(reason)
                self._failed.add(key)
                pick.failed.add(run)
                self.failures.append(reason)
            case _:
                raise AssertionError(f"a training answered {answer}")

    def fall_back(self, epochs: int) -> None:
        """Where the time held no full training of any pick, the first is delivered as the search left it.

        It stands without arms: none was trained as the search trains.

        Args:
            epochs: That the search trains a candidate for.
        """
        first, candidate = self._picks[0], self._picks[0].candidate
        run = Run(candidate.number, "pick", 0, of_length(candidate.recipe, epochs), searched=True)
        accuracy = candidate.accuracies[max(candidate.accuracies)]
        first.results = {run: {"accuracy": accuracy, "epochs": epochs, "seconds": candidate.seconds}}
        self._picks[1:] = []

    def test(self, beat: Callable[[], None] = lambda: None) -> Mapping[str, float]:
        """Read the test split, once for every run that is reported and for the teacher.

        It goes on when the budget is used up: time for it was kept aside, and picks without it are worth nothing.
        A run whose test cannot be read is left out and counted among the failures.

        Args:
            beat: Called again and again meanwhile.

        Returns:
            The teacher's accuracy under ``teacher``, where it could be computed.

        Raises:
            Interrupted: If the user asked to stop.
            UserError: If a job met what every other would meet, after all answers that arrived are stored.
        """
        reported: dict[str, list[Run]] = {}
        for pick in self._picks:
            for run in (run for arm in _ARMS for run in pick.compared(arm)):
                reported.setdefault(run.key(self._hash), []).append(run)
        known = self._done.get(TEACHER)
        jobs: list[tuple[str, Job]] = [(TEACHER, EvaluateJob(None, None))] if known is None else []
        for key, runs in reported.items():
            jobs.append((key, EvaluateJob(runs[0].recipe.document(), self.weights(runs[0]))))
        under_way: dict[str, Job] = {}
        while jobs or self._pool.running:
            if self._stop:
                raise Interrupted(
                    f"stopped; nothing finished is lost, the same command goes on with study {self._study}"
                )
            beat()
            while jobs and self._pool.idle:
                key, job = jobs.pop(0)
                self._pool.submit(key, job)
                under_way[key] = job
            fatal: str | None = None
            for key, answer in self._pool.wait(_WAIT_SECONDS):
                match answer:
                    case Evaluated(correct):
                        self._store_test(key, reported.get(key, []), correct)
                    case Stopped():  # its worker left
                        jobs.append((key, under_way[key]))
                    case Failed(_, _, worker_died) if worker_died and key not in self._died:
                        self._died.add(key)
                        jobs.append((key, under_way[key]))
                    case Failed(reason, is_fatal, _):
                        self.failures.append(reason)
                        fatal = fatal or (reason if is_fatal else None)
            if fatal is not None:
                raise UserError(fatal)
        known = self._done.get(TEACHER)
        return {} if known is None else {TEACHER: float(known["accuracy"])}

    def _store_test(self, key: str, runs: list[Run], correct: NDArray[np.bool_]) -> None:
        if key == TEACHER:
            self._done[TEACHER] = {"accuracy": float(correct.mean())}
            self._database.finish_job(self._study, TEACHER, self._done[TEACHER])
        for run in runs:
            self._pick(run).correct[run] = correct

    def delivered(self, pick: Pick) -> Run:
        """The run of a pick whose student is delivered: of its tested seeds the best on search-validation."""
        runs = pick.compared("pick")
        tested = [run for run in runs if run in pick.correct]
        return max(tested or runs, key=lambda run: float(pick.results[run]["accuracy"]))

    def weights(self, run: Run) -> Path:
        """The student that a finished run made."""
        if run.searched:
            return self._files.weights(run.pick)
        return self._files.job_weights(run.key(self._hash))

    def _left(self, training: int | None = None) -> float:
        # A pick that is begun will be delivered: where the time for that is not kept aside from its first run on, the
        # run takes it, is stopped, and seems to fit again.
        begun = {training, *(run.pick for run in self._running.values())}
        delivered = [pick for pick in self._picks if pick.results or pick.candidate.number in begun]
        return self._clock.left - self._report_seconds - sum(map(self._finishing, delivered or self._picks[:1]))

    def _next(self) -> Run | None:
        if self._stop:
            return None
        for pick, seed in self._order():
            for run in pick.runs(seed):
                key = run.key(self._hash)
                if run in pick.results or run in pick.failed or key in self._running:
                    continue
                stored = self._done.get(key)
                if stored is not None and self.weights(run).exists():
                    pick.results[run] = stored | {"arm": run.arm, "trial": run.pick}
                elif key in self._failed:
                    pick.failed.add(run)
                elif self._seconds(pick, run.arm) <= self._left(run.pick):
                    return run
        return None

    def _order(self) -> Iterator[tuple[Pick, int]]:
        """Pick by pick under the first seeds; only then, where time is left, each under one seed more."""
        yield from ((pick, seed) for pick in self._picks for seed in range(SEEDS))
        yield from ((pick, SEEDS) for pick in self._picks)

    def _seconds(self, pick: Pick, arm: str) -> float:
        """What a run of this arm takes: what its like took so far, or else what the search leads to expect."""
        seen = [result["seconds"] for run, result in pick.results.items() if run.arm == arm]
        return statistics.fmean(seen) if seen else pick.seconds_per_epoch * pick.epochs

    def _finishing(self, pick: Pick) -> float:
        """What it takes to read the test split with a pick's runs, then again while it is delivered."""
        once = _FORWARD_SHARE * pick.seconds_per_epoch * self._test_share
        runs = sum(len(pick.compared(arm)) for arm in _ARMS)
        return FINISHING_SECONDS + once * (runs / max(1, self._pool.size) + _READINGS)

    def _job(self, run: Run) -> TrainJob:
        key = run.key(self._hash)
        epochs = run.recipe.train.epochs
        return TrainJob(
            recipe=run.recipe.document(),
            total_epochs=epochs,
            until=epochs,
            checkpoint=self._files.job_checkpoint(key),
            weights=self.weights(run),
            deadline=time.monotonic() + max(0.0, self._left(run.pick)),
        )

    def _pick(self, run: Run) -> Pick:
        return next(pick for pick in self._picks if pick.candidate.number == run.pick)


def measured(pick: Pick) -> dict[str, Any] | None:
    """What the runs of a pick showed on the test split, or None where it has none of its own.

    Over the pick's own seeds, all whose test was read: ``seeds``, ``test_accuracy`` (mean) and ``test_accuracy_std``.
    Over the seeds that the pick shares with an arm, the test of both read: the arm's mean (``no_distillation``,
    ``plain_kd``) and the gain over it (``gain_over_…``), which pairs seed by seed and example by example. So a gain
    can differ from ``test_accuracy`` minus the arm's mean; both are None where no seed is shared.
    """
    tested = {arm: {run.seed: pick.correct[run] for run in pick.compared(arm) if run in pick.correct} for arm in _ARMS}
    own = tested["pick"]
    if not own:
        return None
    runs = [run for run in pick.compared("pick") if run in pick.correct]
    accuracies = [float(each.mean()) for each in own.values()]
    best = pick.best_setting()
    no_distillation_mean, gain_over_no_distillation = _compared(own, tested["no_distillation"])
    plain_kd_mean, gain_over_plain_kd = _compared(own, tested["plain_kd"])
    return {
        "trial": pick.candidate.number,
        "role": pick.role,
        "origin": "search checkpoint" if runs[0].searched else "distilled in full",
        "seeds": [run.recipe.seed for run in runs],
        "epochs": runs[0].recipe.train.epochs,
        "test_accuracy": statistics.fmean(accuracies),
        "test_accuracy_std": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        "no_distillation": no_distillation_mean,
        "plain_kd": plain_kd_mean,
        "plain_kd_setting": None if best is None else {"temperature": best[0], "weight": best[1]},
        "gain_over_no_distillation": gain_over_no_distillation,
        "gain_over_plain_kd": gain_over_plain_kd,
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
