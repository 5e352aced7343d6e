"""What a search leaves of its picks: delivered students and the study of picks, all in the dashboard too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.artifacts import upload_artifact
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from automl_kd.delivery import deliver
from automl_kd.hardware import Profile, measure_latencies
from automl_kd.recipes import Recipe
from automl_kd.storage import ArtifactStore, Database
from automl_kd.students import build, load_weights
from automl_kd.studies.delivered import facts_of
from automl_kd.studies.summary import picks_study
from automl_kd.studies.trials import DIRECTIONS, METRICS, name_metrics
from automl_kd.tasks import Task


class Publisher:
    """Delivers picks and tells the dashboard.

    Args:
        database: Where the study is.
        storage: Optuna's view of it.
        study: The study's name.
        task: What was learned.
        profile: The target.
        teacher_accuracy: On the test split, None where it is not known.
        allow_code: Whether a model space of the user's own may be loaded, which runs its file.
    """

    def __init__(
        self,
        database: Database,
        storage: RDBStorage,
        study: str,
        task: Task,
        profile: Profile,
        teacher_accuracy: float | None,
        allow_code: bool,
    ) -> None:
        self._name = study
        self._task = task
        self._profile = profile
        self._teacher_accuracy = teacher_accuracy
        self._allow_code = allow_code
        self._artifacts = ArtifactStore(database.files / "artifacts")
        self._picks = optuna.create_study(
            storage=storage, study_name=picks_study(study), directions=DIRECTIONS, load_if_exists=True
        )
        name_metrics(self._picks, (f"test_{METRICS[0]}", METRICS[1]))
        for trial in self._picks.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._picks.tell(trial.number, state=TrialState.FAIL)  # a study has one driver: that one was killed

    def pick(self, found: dict[str, Any], recipe: Recipe, weights: Path, folder: Path) -> dict[str, Any]:
        """Deliver one pick and store it as a trial of the picks' study.

        One that this round stored already stays as it is; only a folder that is gone is made again.

        Args:
            found: What its runs showed, from ``measured``, and its ``round``.
            recipe: Of the run that is delivered.
            weights: Of that run.
            folder: Where its files go.

        Returns:
            The pick as it is stored.
        """
        stored = self._stored(found)
        if stored is not None and (folder / "manifest.json").exists():
            return stored
        student = build(
            recipe.student,
            input_shape=self._task.input_shape,
            classes=self._task.classes,
            allow_code=self._allow_code,
        )
        delivered = deliver(
            folder,
            load_weights(student, weights),
            recipe,
            self._task,
            self._profile,
            facts_of(found, self._name, self._teacher_accuracy),
        )
        entry = found | {
            "test_accuracy_deployed": delivered.test_accuracy_deployed,
            "latency_ms": delivered.latency_ms,
            "latency_low": delivered.latency_low,
            "latency_high": delivered.latency_high,
            "onnx_max_difference": delivered.onnx_max_difference,
            "path": str(folder),
        }
        if stored is not None:
            return stored
        self._store(entry, recipe, folder)
        return entry

    def measure(self, folders: Sequence[Path]) -> list[float]:
        """Milliseconds of delivered students on this machine, timed side by side."""
        paths = [folder / "student.onnx" for folder in folders]
        return [each.ms for each in measure_latencies(paths, self._profile.target.threads)]

    def _stored(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        """What an earlier publisher of the same round stored of this pick."""
        for trial in self._picks.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            entry: dict[str, Any] = trial.user_attrs.get("akd:pick", {})
            if (entry.get("trial"), entry.get("round")) == (found["trial"], found["round"]):
                return dict(entry)
        return None

    def _store(self, entry: dict[str, Any], recipe: Recipe, folder: Path) -> None:
        from optuna_dashboard import save_note

        trial = self._picks.ask()
        for name in ("recipe.yaml", "student.onnx", "model_card.md", "manifest.json"):
            upload_artifact(artifact_store=self._artifacts, file_path=str(folder / name), study_or_trial=trial)
        save_note(trial, (folder / "model_card.md").read_text(encoding="utf-8"))
        trial.set_user_attr("akd:recipe", recipe.document())
        trial.set_user_attr("akd:pick", entry)  # last: a trial that has it is whole
        self._picks.tell(trial, [entry["test_accuracy"], entry["latency_ms"]])
