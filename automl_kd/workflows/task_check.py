"""What a search would understand of a task and its teacher, without a search."""

from __future__ import annotations

from automl_kd.distillation import expect_teacher, resolve_device
from automl_kd.results import Observer, sharing
from automl_kd.studies.understanding import Understanding, understand
from automl_kd.tasks import open_task


def check_task(
    task: str,
    *,
    data: str | None = None,
    teacher: str | None = None,
    device: str = "auto",
    observer: Observer | None = None,
) -> Understanding:
    """Read a task's data and ask its teacher; nothing is trained, and only caches are written.

    Args:
        task: A built-in task, or the path of a task file.
        data: Data instead of those that the task names.
        teacher: A teacher instead of the task's own, as for :func:`search`.
        device: Where the teacher is asked: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        observer: Told how far the reading of the data is.

    Returns:
        What was understood. What is odd is among its ``warnings``.

    Raises:
        UserError: If task, data and teacher contradict each other, or one of them is damaged or missing.
    """
    opened = open_task(task, data, progress=sharing(observer or Observer(), "read"))
    named = teacher is not None or opened.teacher is not None
    expected = expect_teacher(opened, teacher) if named else None
    return understand(opened, expected, resolve_device(device))
