"""Which options of a space no sound recipe has: found by drawing from it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from automl_kd.recipes import Categorical, InvalidCombinationError, Recipe, Space, Value

Options = Mapping[str, Sequence[Value]]
"""Options of holes, by the name of their hole."""
Sound = Callable[[Recipe], bool]

_SAMPLES = 256
_SAMPLES_OF_AN_OPTION = 64


@dataclass(frozen=True)
class Drawn:
    """A recipe drawn from a space.

    Attributes:
        values: Of the holes that make it.
        recipe: What they make.
    """

    values: Mapping[str, Value]
    recipe: Recipe


def drawn(space: Space, given: Mapping[str, Value] | None = None, count: int = _SAMPLES) -> Iterator[Drawn]:
    """The same recipes whenever they are asked for; fewer than asked where values contradict each other.

    Args:
        space: Where they come from.
        given: Values of holes that are taken as they are.
        count: How many.
    """
    rng = random.Random(0)
    for _ in range(count):
        values = space.sample_params(rng, given)
        try:
            yield Drawn(values, space.from_params(values))
        except InvalidCombinationError:
            continue


def never_sound(space: Space, parts: tuple[str, ...], sound: Sound, known: Sequence[Drawn]) -> dict[str, list[Value]]:
    """The options with which no recipe that is drawn is sound, by the name of their hole.

    Args:
        space: The space.
        parts: Beginnings of the names of the holes that are looked at: ``student``.
        sound: Whether a recipe is.
        known: Recipes that are.
    """
    gone: dict[str, list[Value]] = {}
    for hole in space.holes:
        if not hole.name.startswith(parts) or not isinstance(hole, Categorical):
            continue
        seen = Counter(each.values[hole.name] for each in known if hole.name in each.values)
        unseen = [option for option in hole.options if not seen[option]]
        lost = [option for option in unseen if _never(space, sound, hole.name, option)]
        if lost:
            gone[hole.name] = lost
    return gone


def _never(space: Space, sound: Sound, hole: str, option: Value) -> bool:
    asked = drawn(space, {hole: option}, _SAMPLES_OF_AN_OPTION)
    with_it = [each.recipe for each in asked if hole in each.values]
    return bool(with_it) and not any(map(sound, with_it))
