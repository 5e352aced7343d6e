"""Teachers of every form, from what a task or a user says of them."""

from __future__ import annotations

from dataclasses import dataclass

from automl_kd.tasks import BroughtTeacher, Task
from automl_kd.teachers.answers import Answers, seen_readout, stated_readout
from automl_kd.teachers.classes import match_classes
from automl_kd.teachers.input import TransformedTeacher
from automl_kd.teachers.several import MultiTeacher
from automl_kd.teachers.shown import show
from automl_kd.teachers.sources import source_of
from automl_kd.teachers.store import TeacherStore, gone
from automl_kd.teachers.teacher import Teacher, Understood


@dataclass(frozen=True)
class KeptTeacher:
    """A teacher that was trained here and is kept by the hash of its weights."""

    sha256: str


_LOOKED_AT = 2

LoadableTeacher = BroughtTeacher | KeptTeacher


def load_teacher(spec: LoadableTeacher | tuple[LoadableTeacher, ...], task: Task) -> Teacher:
    """A teacher from where it lies, on the CPU; several as one that gives the logits of each.

    No form runs code that a file may hold, and nothing is fetched from a network. What a file or folder says of itself
    is used; what the spec says has the last word. How all of it was understood stands in ``Teacher.understood``.

    Args:
        spec: Where it lies, and what is needed to understand it.
        task: What it shall teach.

    Raises:
        UserError: If the file is missing, damaged or holds code, or does not fit its architecture or the task; or if a
            package that its form needs is not installed.
    """
    if isinstance(spec, tuple):
        return MultiTeacher([load_teacher(each, task) for each in spec])
    if isinstance(spec, BroughtTeacher):
        return _brought(spec, task)
    kept = TeacherStore().by_hash(spec.sha256)
    if kept is None:
        raise gone(spec.sha256)
    return kept


def _brought(spec: BroughtTeacher, task: Task) -> Teacher:
    source = source_of(spec, task)
    shown = show(spec.input, source.card, task)
    matched = match_classes(source.form, spec.classes, source.card, task)
    opened = source.open(shown.shape, matched.outputs)
    readout = opened.readout or (stated_readout(spec.outputs) if spec.outputs else None)
    if readout is None:
        images = task.normalize(task.train.images[:_LOOKED_AT])
        readout = seen_readout(opened.teacher, images if shown.transform is None else shown.transform(images))
    teacher = opened.teacher.answering(Answers(matched.order, readout.undo))
    teacher.understood = Understood(
        form=opened.form,
        input=shown.words,
        classes=matched.words,
        outputs=readout.words,
        warnings=(*opened.warnings, *shown.warnings, *matched.warnings, *readout.warnings),
        order=matched.order,
    )
    return teacher if shown.transform is None else TransformedTeacher(teacher, shown.transform)
