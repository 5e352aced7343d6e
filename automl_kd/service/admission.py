"""A search that was asked for over the network, made safe: no code, no files but those that its owner may name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from automl_kd.core import NotYAMLError, UserError, load_yaml
from automl_kd.hardware import load_profile
from automl_kd.recipes import parse_yaml
from automl_kd.service.places import UPLOAD, Places, beside, reads_like_a_path
from automl_kd.service.refused import REFUSED
from automl_kd.studies.default_space import check_space
from automl_kd.studies.preparation import check_energy
from automl_kd.studies.request import SearchRequest
from automl_kd.tasks import (
    BroughtTeacher,
    OneTeacher,
    TrainedTeacher,
    check_task,
    moved_to,
    parse_teacher,
    place_of,
    task_names,
)

_EXECUTORS = ("process", "inline")
_THIS_MACHINE = "local"
_Spec = TypeVar("_Spec", bound=OneTeacher)


@dataclass(frozen=True)
class Admitted:
    """A search that may be submitted.

    Attributes:
        options: Its options as they are stored, with whole paths of files.
        name: Of its study: as was asked for, else made of task, device and space.
        named: Whether it was asked for.
        seconds: Its budget.
    """

    options: dict[str, Any]
    name: str
    named: bool
    seconds: float


def admit(document: dict[str, Any], places: Places) -> Admitted:
    """A search, checked, with whole paths of files that may be named.

    Args:
        document: The fields of :class:`SearchRequest`, as they came.
        places: Which files may be named.

    Raises:
        UserError: If a field is not allowed over the network or names another file, or the request has a mistake.
    """
    for name, reason in REFUSED.items():
        if document.get(name) not in (None, False, [], ()):
            raise UserError(f"{name}: cannot be given over the network: {reason}")
    asked = {name: value for name, value in document.items() if name not in REFUSED}
    if asked.get("executor", "process") not in _EXECUTORS:
        raise UserError(f"executor {asked['executor']!r}: over the network {' or '.join(_EXECUTORS)}")
    request = SearchRequest(**asked)
    changes: dict[str, Any] = {}
    if request.task not in task_names():
        changes["task"] = str(_document(places, "task", request.task))
    if request.data is not None:
        changes["data"] = str(places.resolve("data", request.data))
    if request.teacher is not None:
        changes["teacher"] = _teacher(places, request.teacher)
    for name in ("space", "hw"):
        value = getattr(request, name)
        if value is not None and (reads_like_a_path(value) or value.endswith((".yaml", ".yml"))):
            changes[name] = str(_document(places, name, value))
    for objective in request.objectives:
        if reads_like_a_path(objective):
            raise UserError(f"objective {objective!r}: name a device of GET /hardware behind latency@")
    if request.pins:
        changes["pins"] = tuple(_pin(places, each) for each in request.pins)
    checked = SearchRequest(**{**asked, **changes})
    check_space(checked, check_task(checked.task, checked.data, checked.metric))
    for device in (checked.hw, *(each.device for each in checked.known if each.device is not None)):
        if device != _THIS_MACHINE:  # which would be measured first, and then by another process
            profile = load_profile(device)
            if device == checked.hw:
                check_energy(checked, profile)
    kept = checked.model_dump(mode="json", exclude={"storage", "study", "extend"}, exclude_defaults=True)
    options = {**kept, "hw": checked.hw, "budget": checked.budget}
    return Admitted(options, checked.name, checked.study is not None, checked.seconds)


def _document(places: Places, label: str, text: str) -> Path:
    """A YAML file that may be named; one that was sent may itself name files of its own folder only."""
    path = places.resolve(label, text)
    if not path.is_file():
        raise UserError(f"{label} {text!r}: is a folder; name a YAML file in it")
    if text.startswith(UPLOAD):
        folder = next(each for each in path.parents if each.parent == places.uploads.resolve())
        beside(path, folder).placed(label, parse_yaml(path))
    return path


def _teacher(places: Places, text: str) -> str:
    """Teachers as the request takes them, with whole paths."""
    spec = parse_teacher(text)
    placed = [_placed(places, each) for each in (spec if isinstance(spec, tuple) else (spec,))]
    return " + ".join(json.dumps(each.model_dump(mode="json", exclude_unset=True)) for each in placed)


def _placed(places: Places, spec: OneTeacher) -> OneTeacher:
    """A teacher with whole paths of the files that it names."""
    if isinstance(spec, BroughtTeacher):
        brought = _whole(places, spec)
        place = place_of(brought)  # a folder may have a name that does not read like a path
        return brought if place.is_absolute() else moved_to(places.resolve("teacher", str(place)), brought)
    training = spec.train
    nested = None if training.teacher is None else _placed(places, training.teacher)
    whole = _whole(places, TrainedTeacher(train=training.model_copy(update={"teacher": None})))
    return TrainedTeacher(train=whole.train.model_copy(update={"teacher": nested}))


def _whole(places: Places, spec: _Spec) -> _Spec:
    """A teacher with whole paths wherever else it names a file."""
    return type(spec).model_validate(  # type: ignore[return-value]
        places.placed("teacher", spec.model_dump(mode="json", exclude_unset=True))
    )


def _pin(places: Places, pin: str) -> str:
    """A pin with whole paths of the files that it names; one that names none stays as it was written."""
    name, mark, text = pin.partition("=")
    if not name or not mark:
        raise UserError(f"pin {pin!r}: write PATH=VALUE, such as student.width=0.5")
    value = _plain(text)
    whole = places.placed(f"pin {name}", value)
    return pin if whole == value else f"{name}{mark}{json.dumps(whole)}"


def _plain(text: str) -> Any:
    try:
        return load_yaml(text)
    except NotYAMLError as error:
        raise UserError(f"{text!r}: not YAML: {error.problem}") from None
