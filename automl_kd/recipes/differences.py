"""In what recipes differ: places of the document and what stands there in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl_kd.recipes.schema import Recipe
from automl_kd.recipes.students import unpin_start

_APART = ("version", "task", "teacher", "hw", "seed", "threads")
"""What is of a study, or of a run, and not of the student."""
_KINDS = ("family", "model", "name", "stage", "schedule", "adaptive", "learned")
"""Fields that say which thing a mapping describes: where they differ, so does all that stands beside them."""


@dataclass(frozen=True)
class Difference:
    """A place in which recipes differ.

    Attributes:
        path: Such as ``distill.losses.kd.temperature``; stages are counted from 0.
        values: As plain data, one a recipe; None where a recipe has nothing there.
    """

    path: str
    values: tuple[Any, ...]


def differences(recipes: Sequence[Recipe]) -> list[Difference]:
    """The places in which recipes differ, in the order of the document, each as high up as it is one decision.

    Where a loss, a stage or a whole student is not the same thing, the place is that of the thing.
    """
    return _between("", [_own(recipe) for recipe in recipes])


def _own(recipe: Recipe) -> dict[str, Any]:
    document = recipe.document()
    unpin_start(document["student"])
    document["distill"].pop("targets", None)  # decided by cost, and the same training
    return {key: value for key, value in document.items() if key not in _APART}


def _between(path: str, values: Sequence[Any]) -> list[Difference]:
    if all(value == values[0] for value in values):
        return []
    if all(isinstance(value, Mapping) for value in values) and _alike(values):
        keys = dict.fromkeys(key for value in values for key in value)
        return [
            one
            for key in keys
            for one in _between(f"{path}.{key}".removeprefix("."), [value.get(key) for value in values])
        ]
    if all(map(_holds_parts, values)) and len({len(value) for value in values}) == 1:
        positions = enumerate(zip(*values, strict=True))
        return [one for index, each in positions for one in _between(f"{path}.{index}", each)]
    return [Difference(path, tuple(values))]


def _holds_parts(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, Mapping) for each in value)


def _alike(values: Sequence[Mapping[str, Any]]) -> bool:
    return all(len({str(value.get(kind)) for value in values}) == 1 for kind in _KINDS)
