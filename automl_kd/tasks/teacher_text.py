"""A teacher given in one line, as on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter

from automl_kd.core import UserError
from automl_kd.recipes import parse_text, validate
from automl_kd.tasks.teacher import TEACHER_FORMS, OneTeacher, SingleTeacherSpec, TeacherSpec, relative_to

_AND = " + "
_SPEC: TypeAdapter[OneTeacher] = TypeAdapter(SingleTeacherSpec)


def parse_teacher(text: str) -> TeacherSpec:
    """A teacher given in one line.

    ``teacher.onnx`` and ``teacher.pt2`` stand for themselves. A checkpoint is followed by ``@`` and its architecture,
    written as the ``student`` part of a recipe: ``teacher.pt@{family: resnet, depth: 20}``. Any form can be written as
    in a task file: ``{timm: FOLDER, input: {size: 224}}``. Several teachers are joined by `` + ``:
    ``first.onnx + second.pt@{family: resnet, depth: 20}``.

    Raises:
        UserError: If the ending is unknown, or the architecture is missing or no student of a recipe.
    """
    specs = tuple(_one(part) for part in _parts(text))
    return specs if len(specs) > 1 else specs[0]


def found_anywhere(text: str) -> str:
    """The user's words for a teacher with paths that are found from every folder.

    Args:
        text: What :func:`parse_teacher` takes.
    """
    return _AND.join(_one_anywhere(part) for part in _parts(text))


def _parts(text: str) -> list[str]:
    """Split where teachers are joined, which is never within braces."""
    parts = [""]
    for piece in text.split(_AND):
        within = parts[-1].count("{") > parts[-1].count("}")
        parts[-1:] = [parts[-1] + _AND + piece] if within else [parts[-1], piece]
    return [part.strip() for part in parts[1:]]


def _one(text: str) -> OneTeacher:
    source = f"teacher {text!r}"
    if text.startswith("{"):
        return validate(_SPEC, parse_text(text, source), source)
    file, at, architecture = text.partition("@{")
    found = next(
        (
            (name, form, ending)
            for name, form in TEACHER_FORMS.items()
            for ending in form.endings
            if file.lower().endswith(ending)
        ),
        None,
    )
    if found is None:
        endings = ", ".join(ending for form in TEACHER_FORMS.values() for ending in form.endings)
        raise UserError(f"{source}: should be a file ending in {endings}, or a form in braces such as {{timm: FOLDER}}")
    name, form, ending = found
    if not form.architecture:
        if at:
            raise UserError(f"{source}: should be FILE{ending}")
        return validate(_SPEC, {name: file}, source)
    if not at:
        raise UserError(
            f"{source}: a checkpoint needs its architecture, for example {file}@{{family: resnet, depth: 20}}"
        )
    return validate(_SPEC, {name: file, "student": parse_text("{" + architecture, source)}, source)


def _one_anywhere(text: str) -> str:
    if text.startswith("{"):
        spec = relative_to(Path.cwd(), _one(text))
        assert not isinstance(spec, tuple)
        return json.dumps(spec.model_dump(mode="json", exclude_unset=True))
    file, at, architecture = text.partition("@{")
    return f"{Path(file).expanduser().absolute()}{at}{architecture}"
