"""Names by which scripts of version 0.1 read tasks of images with one class each; no room asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from automl_kd.core import Signature
from automl_kd.tasks.teacher import TEACHER_FORMS

if TYPE_CHECKING:
    from automl_kd.tasks.modalities import Modality
    from automl_kd.tasks.problems import Problem
    from automl_kd.tasks.split import Examples


class SplitNamesOf01:
    """The name of 0.1 for the inputs of a split."""

    if TYPE_CHECKING:
        inputs: Examples

    @property
    def images(self) -> Examples:
        """``inputs``."""
        return self.inputs


class TaskNamesOf01:
    """The names of 0.1 for what is a modality's, a problem's or a signature's now."""

    if TYPE_CHECKING:
        modality: Modality
        problem: Problem

        @property
        def signature(self) -> Signature: ...

    @property
    def input_shape(self) -> tuple[int, ...]:
        """``signature.input.shape``."""
        return self.signature.input.shape

    @property
    def classes(self) -> int:
        """``signature.output.width``."""
        return self.signature.output.width

    @property
    def class_names(self) -> tuple[str, ...]:
        """``problem.names``."""
        return self.problem.names

    @property
    def mean(self) -> Any:
        """``modality.mean``."""
        return getattr(self.modality, "mean")  # noqa: B009 - images have one, other modalities none

    @property
    def std(self) -> Any:
        """``modality.std``."""
        return getattr(self.modality, "std")  # noqa: B009 - as above

    def normalize(self, images: Tensor) -> Tensor:
        """``modality.prepare(images)``."""
        return self.modality.prepare(images)


def teacher_form(name: str) -> Any:
    """The part of a teacher's form that 0.1 had in this room, such as ``OnnxTeacher``; None for any other name."""
    known = {form.part.__name__: form.part for form in TEACHER_FORMS.values()} if name.endswith("Teacher") else {}
    return known.get(name)
