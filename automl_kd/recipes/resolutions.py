"""Changes of a space's document: resolutions beyond what pictures have are no options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_kd.recipes import tree

_FIELD = "resolution"


def without_resolutions(document: Mapping[str, Any], above: int) -> dict[str, Any]:
    """The document without options of ``student.resolution`` above so many pixels.

    Where no option is left the field is, which means the task's size. What is no option but said stays.
    """
    return {**document, "student": _lowered(document["student"], above)} if "student" in document else dict(document)


def resolutions(document: Mapping[str, Any]) -> frozenset[int]:
    """The options of ``student.resolution``."""
    return frozenset(_options(document.get("student")))


def _lowered(node: Any, above: int) -> Any:
    """A student, or alternatives or an optional one, with its options lowered."""
    if isinstance(node, Mapping):
        fields = {name: _lowered(part, above) for name, part in node.items() if name != _FIELD}
        left = _left(node[_FIELD], above) if _FIELD in node else tree.ABSENT
        return fields if left is tree.ABSENT else fields | {_FIELD: left}
    return [_lowered(each, above) for each in node] if isinstance(node, list) else node


def _left(hole: Any, above: int) -> Any:
    """What is left of a hole; ABSENT where nothing is."""
    if not isinstance(hole, Mapping):
        return hole
    if "choice" in hole:
        fitting = [each for each in hole["choice"] if each is None or each <= above]
        return {**hole, "choice": fitting} if fitting else tree.ABSENT
    if "optional" in hole:
        inner = _left(hole["optional"], above)
        return tree.ABSENT if inner is tree.ABSENT else {**hole, "optional": inner}
    return hole


def _options(node: Any) -> Sequence[int]:
    if isinstance(node, list):
        return [option for each in node for option in _options(each)]
    if not isinstance(node, Mapping):
        return []
    inside = [option for name, part in node.items() if name != _FIELD for option in _options(part)]
    hole = node.get(_FIELD)
    while isinstance(hole, Mapping) and "optional" in hole:
        hole = hole["optional"]
    return [*inside, *(hole["choice"] if isinstance(hole, Mapping) and "choice" in hole else ())]
