"""A delivered folder is checked against what its manifest says."""

from __future__ import annotations

from pathlib import Path

from automl_kd.core import UserError
from automl_kd.delivery import DeliveredFolder, check_folder, check_student
from automl_kd.results import Observer, Verification, sharing
from automl_kd.studies.delivered import open_recipe_task
from automl_kd.tasks import Task


def verify(
    folder: str | Path = "winner",
    *,
    task: str | None = None,
    data: str | None = None,
    allow_code: bool = False,
    observer: Observer | None = None,
) -> Verification:
    """Check a delivery again: hashes, files, parity with PyTorch, and the score on the test split.

    Parity is that of ``student.onnx`` with ``student.safetensors`` and ``recipe.yaml``: on test examples where the
    data are where the recipe says, else on made-up ones. Without the data the score is not checked.

    Args:
        folder: What ``export``, ``distill`` or a search has delivered, of this version or an earlier one.
        task: The task's file, if not where the recipe says.
        data: The data, if not where task or recipe say.
        allow_code: Whether a model space of the user's own may be loaded, which runs its file.
        observer: Told how far the reading of data is.

    Returns:
        Whether all is ``ok``, and the ``checks``: name, outcome and words each. ``fault`` is what differs.

    Raises:
        UserError: If the folder has no manifest, or task or data that are named cannot be read or are others.
    """
    found = DeliveredFolder.opened(Path(folder))
    checks = list(check_folder(found))
    opened, unreachable = _task(found, task, data, observer or Observer())
    checks += check_student(found, opened, unreachable, allow_code=allow_code)
    right = all(each.outcome != "differs" for each in checks)
    return Verification(path=str(folder), ok=right, checks=tuple(checks))


def _task(found: DeliveredFolder, task: str | None, data: str | None, observer: Observer) -> tuple[Task | None, str]:
    """The task with the data that the student was made for, or why it is not at hand."""
    try:
        recipe = found.recipe()
    except UserError as error:
        return None, str(error)
    try:
        opened = open_recipe_task(
            recipe, str(found.path / "recipe.yaml"), task, data, progress=sharing(observer, "data")
        )
        said = found.manifest.task.sha256
        if said is not None and said != opened.sha256:
            raise UserError(
                f"task {opened.name} has data {opened.sha256[:12]} here, the student was made for {said[:12]}"
            )
    except UserError as error:
        if task is not None or data is not None:
            raise
        return None, str(error)
    return opened, ""
