"""The folder of a delivery: the names of its files; it is replaced whole or not at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from automl_kd.core import UserError

MANIFEST = "manifest.json"
ONNX, FLOAT = "student.onnx", "student.float.onnx"
"""The student as it ships, and without the stages of ``compress``."""
WEIGHTS, RECIPE = "student.safetensors", "recipe.yaml"
RUN, LABELS = "run.py", "labels.txt"
"""The program that answers for new examples, and the names of the outputs, which it and device runtimes read."""


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder`` that takes its place when the block ends well.

    What a killed process leaves behind is a hidden folder beside it, never a half-filled ``folder``.

    Raises:
        UserError: If ``folder`` exists and holds anything but an earlier delivery, or cannot be written.
    """
    target = folder.resolve()
    check_replaceable(folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as workshop:
            new, old = Path(workshop) / "new", Path(workshop) / "old"
            new.mkdir()
            yield new
            check_replaceable(folder)  # it may have appeared meanwhile
            if target.exists():
                target.rename(old)
            try:
                new.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror or error}") from error


def check_replaceable(folder: Path) -> None:
    """Make sure that a delivery may take a folder's place.

    Raises:
        UserError: If ``folder`` exists and holds anything but an earlier delivery.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder} is a file; a delivery needs a folder")
    if folder.resolve() == Path.cwd():
        raise UserError(f"{folder} is the current folder, and a delivery replaces its folder whole; name another")
    foreign = sorted({path.name for path in folder.iterdir()} - _delivered_names(folder))
    if foreign:
        raise UserError(f"{folder} holds {foreign[0]!r}, which is not of an earlier delivery; name another folder")


def _delivered_names(folder: Path) -> set[str]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {MANIFEST, *manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
