"""A task file for data that are there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_kd.core import UserError, write_text
from automl_kd.results import Observer, sharing
from automl_kd.studies.understanding import Understanding
from automl_kd.tasks import data_at, found_anywhere, open_task, parse_teacher, task_text
from automl_kd.workflows.first_teacher import first_teacher
from automl_kd.workflows.task_check import check_task

_ANY = {"train": {"student": {"family": "resnet", "depth": 8}, "train": {"epochs": 1}}}
"""Stands for a teacher until the data are read, on which a good one depends."""


@dataclass(frozen=True)
class NewTask:
    """A task file that was written.

    Attributes:
        path: The file.
        understood: What is understood of it.
        next: The command that searches it.
    """

    path: Path
    understood: Understanding
    next: str


def init_task(
    place: str, out: str, *, teacher: str | None = None, skip_damaged: bool = False, observer: Observer | None = None
) -> NewTask:
    """Look at data and write a task file about them.

    Args:
        place: A folder of pictures, a table that lists pictures or texts, or a file of arrays.
        out: The file to write, ending in .yaml; one that exists is left as it is.
        teacher: As for :func:`search`; left out, the best that can be trained here is named.
        skip_damaged: Whether pictures that cannot be read are left out.
        observer: Told how far the reading of the data is.

    Raises:
        UserError: If nothing can be learned from the data, or ``out`` exists. No file is left then.
    """
    path, data = Path(out), data_at(Path(place).expanduser())
    if path.suffix not in (".yaml", ".yml"):
        raise UserError(f"--out {out}: should end in .yaml")
    if path.exists():
        raise UserError(f"--out {out}: exists; name another file, or remove it")
    if skip_damaged and data["kind"] == "npz":
        raise UserError("--skip-damaged is for files of pictures, not for arrays; leave it out")
    said: dict[str, Any] = {"kind": data["kind"], "path": _from(path.parent, Path(place)), **data}
    said |= {"skip_damaged": True} if skip_damaged else {}
    brought = None if teacher is None else _plain(teacher)
    try:
        write_text(path, task_text(path.stem, said, brought or _ANY, True))
        task = open_task(out, progress=sharing(observer or Observer(), "read"))
        write_text(path, task_text(path.stem, said, brought or first_teacher(task), brought is not None, task))
        understood = check_task(out)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return NewTask(path, understood, f"automl-kd search --task {out} --hw local --budget 8m")


def _from(folder: Path, place: Path) -> str:
    """A place as a file in the folder names it: relative where it lies below, so that both can be moved together."""
    absolute, start = place.expanduser().absolute(), folder.absolute()
    return os.path.relpath(absolute, start) if absolute.is_relative_to(start) else str(absolute)


def _plain(teacher: str) -> Any:
    spec = parse_teacher(found_anywhere(teacher))
    dumped = [
        each.model_dump(mode="json", exclude_unset=True) for each in (spec if isinstance(spec, tuple) else (spec,))
    ]
    return dumped if isinstance(spec, tuple) else dumped[0]
