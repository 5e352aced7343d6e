"""A task file to begin with: what was found, and beside it in comments what else can be said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from automl_kd.core import IMAGE_AXES
from automl_kd.recipes import to_yaml
from automl_kd.tasks.task import Task

_HEAD = """\
# What is learned. automl-kd task check says what is understood of this file; docs/tasks.md has every field.
# Paths begin at the folder of this file.
"""
_OF_PICTURES = {
    "skip_damaged": "true   # leaves out files that cannot be read; else they are refused",
    "unlabelled": "more-photos   # pictures without labels, which losses that need none learn from, too",
    "background": "white   # what is seen behind transparent parts",
}
_SPLITS = """\
# splits: {validation: 0.2, test: 0.2, seed: 0}   # what is drawn where the data have no splits of their own
"""
_BROUGHT = """\
# teacher: {timm: FOLDER, fine_tune: true}   # a network that you have; or {onnx: teacher.onnx}, … (docs/teachers.md)
"""


def task_text(name: str, data: Mapping[str, Any], teacher: Any, brought: bool, task: Task | None = None) -> str:
    """The text of a task file.

    Args:
        name: Of the task.
        data: Its ``data``.
        teacher: Its ``teacher``, as plain data.
        brought: Whether the user named the teacher; otherwise another is shown in a comment.
        task: What the file's data turned out to be, once they were read.
    """
    lines = [_HEAD, f"version: 1\nname: {_quoted(name)}\ndata:\n"]
    lines += [f"  {field}: {_quoted(value)}\n" for field, value in data.items()]
    if task is not None and task.signature.input.axes == IMAGE_AXES and data["kind"] != "npz":
        lines.append(f"  size: {task.signature.input.shape[-1]}   # height and width that networks see\n")
        lines += [f"  # {field}: {words}\n" for field, words in _OF_PICTURES.items() if field not in data]
    lines += [_SPLITS, to_yaml({"teacher": teacher}), "" if brought else _BROUGHT]
    if task is not None and len(task.metrics) > 1:
        first, second, *_ = (metric.name for metric in task.metrics)
        others = ", ".join(metric.name for metric in task.metrics[2:])
        lines.append(f"# metric: {second}   # what students are compared by instead of {first}; also {others}\n")
    return "".join(lines)


def _quoted(value: str | bool) -> str:
    """A scalar that YAML reads as what it is, whatever a folder is called."""
    return json.dumps(value, ensure_ascii=False)
