"""A trial asked what its price consists of and where its student errs; what it said is kept beside the study."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from automl_kd.core import UserError, write_text
from automl_kd.hardware import load_profile
from automl_kd.results import Breakdown, Reading
from automl_kd.studies.attributes import TrialAttributes
from automl_kd.studies.breakdown import breakdown, shipped_plan
from automl_kd.studies.delivered import open_recipe_task
from automl_kd.studies.student_reading import StoredStudent, read_student
from automl_kd.studies.study_files import StudyFiles
from automl_kd.tasks import Task


class _Said(BaseModel):
    """What a trial said before, as its file keeps it; ``weights`` tell which student it was."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    breakdown: Breakdown | None = None
    reading: Reading | None = None
    weights: str | None = None


class AskedTrial:
    """A trial to be asked; task, device and weights are opened only for what it has not said before.

    Args:
        files: Of the study.
        number: The trial's.
        kept: What it keeps of itself.
        hw: The device.
        title: What the trial is called in errors.
        allow_code: Whether a model space of the user's own may be loaded.
    """

    def __init__(
        self, files: StudyFiles, number: int, kept: TrialAttributes, hw: str, title: str, allow_code: bool
    ) -> None:
        self._path = files.detail(number)
        self._files = files
        self._number = number
        self._kept = kept
        self._hw = hw
        self._title = title
        self._allow_code = allow_code
        self._said = _read(self._path)

    def breakdown(self) -> Breakdown | None:
        """What its price consists of; None where it was never priced."""
        if self._kept.recipe is None or self._kept.price is None:
            return None
        if self._said.breakdown is None:
            try:
                plan = shipped_plan(self._kept.recipe, self._task, self._allow_code)
                self._keep(breakdown=breakdown(plan, load_profile(self._hw)))
            except UserError as error:
                return Breakdown(parts=(), extrapolated={}, in_floats=(), notes=(), unexplained=str(error))
        return self._said.breakdown

    def reading(self, *, read: bool) -> tuple[Reading | None, str | None]:
        """What its student answers to search-validation, or why nothing is to be read; it has reached the top rung.

        Args:
            read: Whether to ask the student where it did not answer before.
        """
        assert self._kept.recipe is not None
        student = StoredStudent(self._files, self._number, self._kept.recipe)
        stamp = _stamp(student.weights)
        # What was said by weights that are gone still holds.
        if self._said.reading is not None and stamp in (None, self._said.weights):
            return self._said.reading, None
        if stamp is None:
            return None, f"the weights of {self._title} are gone from {student.weights.parent}"
        if not read:
            return None, "its student was not asked"
        try:
            self._keep(reading=read_student(student, self._task, self._allow_code), weights=stamp)
        except UserError as error:
            return None, str(error)
        return self._said.reading, None

    @cached_property
    def _task(self) -> Task:
        assert self._kept.recipe is not None
        return open_recipe_task(self._kept.recipe, self._title)

    def _keep(self, **said: Any) -> None:
        self._said = self._said.model_copy(update=said)
        with contextlib.suppress(OSError):  # a folder that cannot be written, or is full: it is asked again
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, self._said.model_dump_json())


def _read(path: Path) -> _Said:
    try:
        return _Said.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # not there, or of another version: it is asked again
        return _Said()


def _stamp(weights: Path) -> str | None:
    """Tells one file of weights from another; None where there is none."""
    try:
        status = weights.stat()
    except OSError:
        return None
    return f"{weights.name} {status.st_size} {status.st_mtime_ns}"
