"""A task file for a machine that has neither the folder it lies in nor the teacher that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_kd.core import cache_dir, write_text
from automl_kd.recipes import parse_yaml
from automl_kd.tasks.open import task_document
from automl_kd.tasks.teacher import relative_to, size_of


def portable_task(name: str, packed: Callable[[Path], str]) -> Path:
    """The file itself, or a copy that says what would be looked for beside it.

    Args:
        name: The path of a task file.
        packed: Packs a file or folder, and gives where it will lie: ``<sha256>/<name>``, beside the folder of the task
            file.

    Raises:
        UserError: If the file has a mistake.
    """
    file, document = Path(name).expanduser(), parse_yaml(name)
    read, folder = task_document(name)
    unlabelled = getattr(read.data, "unlabelled", None)
    sizes = [] if read.teacher is None else [size_of(one) for one in _several(relative_to(folder, read.teacher))]
    if unlabelled is None and not any(sizes):
        return file
    if unlabelled is not None:
        document["data"] = document["data"] | {"unlabelled": _moved(folder / Path(unlabelled).expanduser(), packed)}
    if any(sizes):
        stated = [_sized(one, size) for one, size in zip(_several(document["teacher"]), sizes, strict=True)]
        document["teacher"] = stated if isinstance(document["teacher"], list) else stated[0]
    text = json.dumps(document)
    copy = cache_dir() / "tasks" / hashlib.sha256(text.encode()).hexdigest() / file.name
    write_text(copy, text)
    return copy


def _several(teacher: Any) -> Any:
    return teacher if isinstance(teacher, list | tuple) else [teacher]


def _moved(place: Path, packed: Callable[[Path], str]) -> str:
    """Where unlabelled pictures will be, as the task file says it; a list lies among its pictures."""
    return f"../{packed(place)}" if place.is_dir() else f"../{packed(place.parent)}/{place.name}"


def _sized(teacher: dict[str, Any], size: int | None) -> dict[str, Any]:
    return teacher if size is None else teacher | {"input": (teacher.get("input") or {}) | {"size": size}}
