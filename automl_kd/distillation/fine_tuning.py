"""A brought network with ``fine_tune`` as what it is: a teacher that is trained here, and starts from weights."""

from __future__ import annotations

from typing import Any

from automl_kd.recipes import StudentPart, Train
from automl_kd.students import plan
from automl_kd.tasks import BroughtTeacher, FineTuning, OneTeacher, Task, TeacherTraining, TrainedTeacher
from automl_kd.teachers import student_of

_SMOOTHING = 0.1
_BY_STAGE = 0.75
"""What multiplies the learning rate with every stage away from the head (as for transformers in BEiT, Bao et al. 2021,
arXiv:2106.08254)."""
_OF_THE_TRUNK = 0.1
"""Likewise, for a network whose stages are not known: of all but the head."""
_TRUNK_AND_HEAD = 2


def as_trained(spec: OneTeacher, task: Task) -> OneTeacher:
    """A teacher with ``fine_tune`` as the training that this stands for, and so are its teachers; any other as it is.

    Args:
        spec: What the user says of it.
        task: What it learns.

    Raises:
        UserError: If the file or folder is missing or damaged, or of a form that gives outputs only.
    """
    if isinstance(spec, BroughtTeacher):
        return spec if spec.fine_tune is None else TrainedTeacher(train=_training(spec, spec.fine_tune, task))
    taught_by = spec.train.teacher
    if taught_by is None:
        return spec
    return TrainedTeacher(train=spec.train.model_copy(update={"teacher": as_trained(taught_by, task)}))


def _training(spec: BroughtTeacher, asked: FineTuning, task: Task) -> TeacherTraining:
    student = student_of(spec, task)
    return TeacherTraining(student=student, train=fine_tuning(student, task, asked), seed=asked.seed)


def fine_tuning(student: StudentPart, task: Task, asked: FineTuning) -> Train:
    """How a network that starts from weights learns a task, in full.

    Args:
        student: The network.
        task: What it learns.
        asked: What the user says of it.
    """
    said = asked.model_dump(exclude={"seed"})
    left_open = {name: value for name, value in _usual(student, task).items() if name not in asked.model_fields_set}
    return Train.model_validate(said | left_open)


def _usual(student: StudentPart, task: Task) -> dict[str, Any]:
    """What depends on network and task where the user leaves it out; of augmentations the one that fits any images."""
    stages = len(plan(student, task.at(student).signature).stages)
    usual: dict[str, Any] = {"layer_decay": _OF_THE_TRUNK if stages <= _TRUNK_AND_HEAD else _BY_STAGE}
    if task.problem.meaning != "real":
        usual["label_smoothing"] = _SMOOTHING
    if "crop" in task.modality.augmentations:
        usual["augment"] = ("crop",)
    return usual
