"""What a teacher's file or folder says of itself, read into names and numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl_kd.core import UserError
from automl_kd.tasks import Card, ImageFacts


def named_outputs(names: Any) -> tuple[tuple[str, ...], ...] | None:
    """Names by output from a list, or a mapping from positions 0 to K - 1; None for anything else."""
    if isinstance(names, Mapping):
        by_position = {str(position): name for position, name in names.items()}
        names = [by_position.get(str(position)) for position in range(len(by_position))]
    if not isinstance(names, Sequence) or isinstance(names, str) or len(names) < 2:
        return None
    return tuple((str(name),) for name in names) if all(isinstance(name, str | int) for name in names) else None


def floats(values: Any) -> tuple[float, ...] | None:
    """Numbers by channel from a number or a list of them; None for anything else."""
    listed = values if isinstance(values, list | tuple) else [values]
    numbers = [float(value) for value in listed if isinstance(value, int | float) and not isinstance(value, bool)]
    return tuple(numbers) if numbers and len(numbers) == len(listed) else None


def sides(stated: Any) -> tuple[int, int] | None:
    """Height and width from a number, a pair, or a mapping of ``height`` and ``width`` or ``shortest_edge``."""
    if isinstance(stated, Mapping):
        edge = stated.get("shortest_edge")
        stated = [stated.get("height", edge), stated.get("width", edge)]
    pair = [stated, stated] if isinstance(stated, int) else stated
    whole = isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(side, int) for side in pair)
    return (pair[0], pair[1]) if whole else None


def stated_size(card: Card) -> int | None:
    """The larger of height and width of the images that a card states; None where it states none."""
    facts = card.examples
    return max(facts.size) if isinstance(facts, ImageFacts) and facts.size else None


def by_channel(values: tuple[float, ...] | None, channels: int | None) -> tuple[float, ...] | None:
    """Statistics for as many channels as a network has; where their number differs, their mean for each."""
    if values is None or channels in (None, len(values)):
        return values
    return (sum(values) / len(values),) * (channels or 1)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no such file.

    Raises:
        UserError: If it is damaged.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: is damaged: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: should hold an object, not {type(content).__name__}")
    return content
