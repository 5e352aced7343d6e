"""How a student that teaches sees a task's examples: at the resolution and in the normalisation of its recipe."""

from __future__ import annotations

from dataclasses import replace

from automl_kd.recipes import StudentPart
from automl_kd.tasks import Card, ImageFacts, Task
from automl_kd.teachers.teacher import Teacher
from automl_kd.teachers.transformed import TransformedTeacher


def student_card(student: StudentPart, task: Task) -> Card:
    """What a recipe says of the images that its student takes.

    Args:
        student: The recipe's part.
        task: What it is shown.
    """
    start, side = student.start, student.resolution
    mean, std = (None, None) if start is None else start.statistics(task.modality.input.shape[0])
    if side is None and mean is None:
        return Card()
    facts = ImageFacts(size=None if side is None else (side, side), mean=mean, std=std)
    return Card(place="its recipe", examples=facts)


def shown_as_student(teacher: Teacher, student: StudentPart, task: Task) -> Teacher:
    """A student of a task as a teacher of it, shown what it was trained on; itself where that is what the task gives.

    Args:
        teacher: The network.
        student: Its part of a recipe.
        task: What it teaches.
    """
    shown = task.modality.shown_to_teacher(None, student_card(student, task))
    if shown.transform is None:
        return teacher
    teacher.understood = replace(teacher.understood, input=shown.words)
    return TransformedTeacher(teacher, shown.transform, task.modality.input)
