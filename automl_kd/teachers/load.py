"""Teachers of every form, from what a task or a user says of them."""

from __future__ import annotations

from dataclasses import dataclass

from automl_kd.core import Signature
from automl_kd.tasks import BroughtTeacher, Task
from automl_kd.teachers.answers import Answers, check_kind, seen_readout, stated_readout
from automl_kd.teachers.encoder import open_encoder
from automl_kd.teachers.form import source_of
from automl_kd.teachers.matching import match_outputs
from automl_kd.teachers.seen import shown_as_student
from automl_kd.teachers.several import MultiTeacher
from automl_kd.teachers.store import TeacherStore, gone
from automl_kd.teachers.teacher import Teacher, Understood
from automl_kd.teachers.transformed import TransformedTeacher


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
        spec: Where it lies, and what is needed to understand it. One with ``fine_tune`` is a teacher of other classes
            here: whoever trains it keeps what comes of it.
        task: What it shall teach.

    Raises:
        UserError: If the file is missing, damaged or holds code, or does not fit its architecture or the task; or if a
            package that its form needs is not installed.
    """
    if isinstance(spec, tuple):
        return MultiTeacher([load_teacher(each, task) for each in spec])
    if isinstance(spec, BroughtTeacher):
        return _brought(spec, task)
    kept = kept_teacher(spec.sha256, task)
    if kept is None:
        raise gone(spec.sha256)
    return kept


def kept_teacher(sha256: str, task: Task) -> Teacher | None:
    """A teacher that was trained here, shown what it was trained on; None where it is gone or damaged.

    Args:
        sha256: Of its weights.
        task: What it teaches.
    """
    store = TeacherStore()
    kept = store.by_hash(sha256)
    return None if kept is None else shown_as_student(kept, store.student(sha256), task)


def _brought(spec: BroughtTeacher, task: Task) -> Teacher:
    if spec.use is not None:
        return open_encoder(spec, task)
    own = task.signature
    check_kind(spec.outputs, own.output.meaning, task.problem.name)
    source = source_of(spec, task)
    shown = task.modality.shown_to_teacher(spec.input, source.card)
    matched = match_outputs(source.form, spec.classes, source.card, task)
    opened = source.open(Signature(shown.input, own.output).with_width(matched.outputs))
    readout = opened.readout or (stated_readout(spec.outputs, own.output.meaning) if spec.outputs else None)
    if readout is None:
        examples = task.modality.prepare(task.train.inputs[:_LOOKED_AT])
        readout = seen_readout(opened.teacher, examples if shown.transform is None else shown.transform(examples))
    teacher = opened.teacher.answering(Answers(matched.order, readout.undo))
    teacher.understood = Understood(
        form=opened.form,
        input=shown.words,
        classes=matched.words,
        outputs=readout.words,
        warnings=(*opened.warnings, *shown.warnings, *matched.warnings, *readout.warnings),
        order=matched.order,
    )
    return teacher if shown.transform is None else TransformedTeacher(teacher, shown.transform, own.input)
