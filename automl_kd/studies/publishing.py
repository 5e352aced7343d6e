"""What a search leaves of its picks: delivered students and the study of picks, all in the dashboard too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from optuna.artifacts import upload_artifact
from optuna.trial import TrialState

from automl_kd.delivery import deliver
from automl_kd.hardware import measure_latencies
from automl_kd.results import PickResult
from automl_kd.storage import ArtifactStore
from automl_kd.students import build, load_weights
from automl_kd.studies.context import StudyContext
from automl_kd.studies.delivered import facts_of
from automl_kd.studies.optuna_study import open_study
from automl_kd.studies.pick import Pick
from automl_kd.studies.pick_attributes import PICK, stored_pick
from automl_kd.studies.pick_result import Finding
from automl_kd.studies.summary import picks_study


class Publisher:
    """Delivers picks and tells the dashboard.

    Args:
        context: The study at hand.
    """

    def __init__(self, context: StudyContext) -> None:
        self._context = context
        self._artifacts = ArtifactStore(context.database.files / "artifacts")
        objectives = context.objectives.all
        names = [f"test_{objectives[0].name}", *(each.name for each in objectives[1:])]
        self._picks = open_study(context.storage, picks_study(context.name), objectives, names)
        for trial in self._picks.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._picks.tell(trial.number, state=TrialState.FAIL)  # a study has one driver: that one was killed

    def deliver(self, pick: Pick, found: Finding, weights: Path) -> None:
        """Deliver one pick and store it as a trial of the picks' study.

        One that this round stored already stays as it is; only a folder that is gone is made again.

        Args:
            pick: The pick.
            found: What its runs showed.
            weights: Of the run that is delivered.
        """
        context, number = self._context, pick.candidate.number
        folder = context.files.pick(number)
        stored = self._is_stored(number)
        if stored and (folder / "manifest.json").exists():
            return
        task, recipe = context.prepared.task, pick.shipped(pick.delivered())
        student = build(recipe.student, task.signature, allow_code=context.request.allow_code)
        facts = facts_of(found, context.name, number, context.book.progress.teacher.metrics)
        facts = replace(facts, mixed_precision=pick.mixed_precision)
        delivered = deliver(folder, load_weights(student, weights), recipe, task, context.prepared.profile, facts)
        if stored:
            return
        metric, objectives = task.metric.name, context.objectives
        score = found.test_metrics[metric]
        (price,) = context.prepared.pricing.price([recipe])
        self._store(
            PickResult(
                **vars(found),
                trial=number,
                role=pick.role,
                round=context.book.progress.round,
                test_score=score,
                test_score_std=found.test_metrics_std.get(metric),
                test_score_float=found.float_metrics.get(metric),
                deployed_metrics=delivered.deployed_metrics,
                test_score_deployed=delivered.test_score_deployed,
                latency_ms=delivered.latency_ms,
                latency_low=delivered.latency_low,
                latency_high=delivered.latency_high,
                objectives=objectives.values([score, *map(price.value, objectives.known)]),
                onnx_max_difference=delivered.onnx_max_difference,
                shipped=delivered.shipped,
                path=str(folder),
                recipe=recipe,
            ),
            folder,
        )

    def measure(self, folders: Sequence[Path]) -> list[float]:
        """Milliseconds of delivered students on this machine, timed side by side."""
        paths = [folder / "student.onnx" for folder in folders]
        return [each.ms for each in measure_latencies(paths, self._context.prepared.profile.target.threads)]

    def _is_stored(self, number: int) -> bool:
        """Whether an earlier publisher of the same round stored this pick."""
        kept = self._picks.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        budget, round_ = self._context.book.record.budget, self._context.book.progress.round
        picks = (stored_pick(trial, self._context.objectives, budget) for trial in kept)
        return any(each is not None and (each.trial, each.round) == (number, round_) for each in picks)

    def _store(self, pick: PickResult, folder: Path) -> None:
        from optuna_dashboard import save_note

        trial = self._picks.ask()
        for name in ("recipe.yaml", "student.onnx", "model_card.md", "manifest.json"):
            upload_artifact(artifact_store=self._artifacts, file_path=str(folder / name), study_or_trial=trial)
        save_note(trial, (folder / "model_card.md").read_text(encoding="utf-8"))
        trial.set_user_attr(PICK, pick.model_dump(mode="json"))  # last: a trial that has it is whole
        self._picks.tell(trial, list(pick.objectives.values()))
