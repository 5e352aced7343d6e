"""What somebody has sent, and how the form of a new search names each file of it."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from automl_kd.service.callers import Caller
from automl_kd.service.context import Service, in_thread
from automl_kd.service.intake import sent_by
from automl_kd.service.places import UPLOAD
from automl_kd.service.views import UploadView

_YAML, _CHECKPOINT, _MODEL = (".yaml", ".yml"), ".safetensors", ".onnx"
_ARCHITECTURE = "@{family: resnet, depth: 20}"
"""Behind a checkpoint, which needs its architecture; whoever sends one knows its own."""
_TASK, _SPACE = re.compile(rb"^data\s*:", re.MULTILINE), re.compile(rb"^student\s*:", re.MULTILINE)
"""What stands at the beginning of a line of a task, and of a space."""
_HEAD_BYTES = 65_536
_MOST = 12
"""Files of an upload that are named."""


@dataclass(frozen=True)
class Choice:
    """A value for a field of the form.

    Attributes:
        field: The field.
        value: What is typed there.
    """

    field: str
    value: str


@dataclass(frozen=True)
class SentFile:
    """Something that was sent.

    Attributes:
        view: What it is.
        choices: How the form names what is in it.
    """

    view: UploadView
    choices: Sequence[Choice]


async def sent_files(service: Service, caller: Caller) -> list[SentFile]:
    """What a caller has sent, newest first."""
    owner = caller.token.owner
    folder = service.uploads_of(owner)

    def read(view: UploadView) -> SentFile:
        try:
            return SentFile(view, _choices(folder / view.sha256, view.created))
        except OSError:  # it was deleted in this moment
            return SentFile(view, ())

    views = await sent_by(service, owner)
    return await in_thread(lambda: [read(each) for each in views])


@functools.lru_cache(1000)
def _choices(folder: Path, _created: float) -> tuple[Choice, ...]:
    """How the form names what is in a folder; once it is there, it does not change any more until it is deleted."""
    files = sorted(each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    name = f"{UPLOAD}{folder.name}"
    found = [Choice(field, f"{name}/{file}{_behind(file)}") for file in files for field in _fields(folder / file)]
    if all(each.field == "teacher" for each in found) and any(not _is_teacher(file) for file in files):
        found.append(Choice("data", f"{name}{_data(files)}"))
    return tuple(found[:_MOST])


def _fields(file: Path) -> tuple[str, ...]:
    """The fields of the form that take a file."""
    if _is_teacher(file):
        return ("teacher",)
    if file.suffix.lower() not in _YAML:
        return ()
    with file.open("rb") as content:
        head = content.read(_HEAD_BYTES)
    of_task, of_space = _TASK.search(head) is not None, _SPACE.search(head) is not None
    return ("task",) if of_task else ("space",) if of_space else ("task", "space")


def _is_teacher(file: Path) -> bool:
    return file.suffix.lower() in (_MODEL, _CHECKPOINT)


def _behind(file: Path) -> str:
    return _ARCHITECTURE if file.suffix.lower() == _CHECKPOINT else ""


def _data(files: Sequence[Path]) -> str:
    """Where data lie: the one file, the one folder that holds all, else all of it."""
    if len(files) == 1:
        return f"/{files[0]}"
    first = {PurePosixPath(file).parts[0] for file in files if len(file.parts) > 1}
    return f"/{first.pop()}" if len(first) == 1 and all(len(file.parts) > 1 for file in files) else ""
