"""Parts of a recipe as words: names and values."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from automl_kd.recipes import Part

_LONGEST = 80
"""Characters of one value."""
_TITLES = {"lr": "learning rate", "ema": "averaged weights", "clip": "clipped gradients"}


def title_of(name: str) -> str:
    """A field's name for people."""
    return _TITLES.get(name, name.replace("_", " "))


def share(value: float) -> str:
    """A part of a run or a batch: ``30 %``."""
    return f"{100 * value:.3g} %"


def named(value: Any) -> str:
    """A value for people: ``0.25``, ``yes``, ``crop and mixup``, ``schedule cosine, start 8, end 2``."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3g}"
        case dict():
            text = ", ".join(f"{title_of(str(key))} {named(each)}" for key, each in value.items() if each is not None)
        case list() | tuple():
            text = ", ".join(map(named, value)) or "none"
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def values_of(part: Part, *, leaving_out: Collection[str], defaults: bool = False) -> list[str]:
    """Fields of a part with their values, ``width 0.25``.

    Args:
        part: The part.
        leaving_out: Fields that are told elsewhere.
        defaults: Whether those are told that are as they are by default.
    """
    document = part.model_dump(mode="json", exclude_none=True, exclude_defaults=not defaults)
    told = {name: value for name, value in document.items() if name not in leaving_out and value != {}}
    return [f"{title_of(name)} {_inner(value)}" for name, value in told.items()]


def _inner(value: Any) -> str:
    return f"({named(value)})" if isinstance(value, dict) else named(value)
