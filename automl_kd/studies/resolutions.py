"""Which resolutions of a space its task's pictures have."""

from __future__ import annotations

from automl_kd.core import IMAGE_AXES
from automl_kd.recipes import Space
from automl_kd.tasks import Task


def resolvable(space: Space, name: str, task: Task) -> tuple[Space, tuple[str, ...]]:
    """The space without resolutions above the task's size, and lines that say so; itself where it has none.

    Pixels that are not there can only be interpolated, at several times the price.

    Args:
        space: The space.
        name: What the user calls it.
        task: What is learned.
    """
    taken = task.signature.input
    if taken.axes != IMAGE_AXES:
        return space, ()
    pixels = max(taken.shape[1:])
    above = sorted(each for each in space.resolutions if each > pixels)
    if not above:
        return space, ()
    left = space.without_resolutions(pixels)
    instead = "" if left.resolutions else f", so that students take {pixels}"
    words = f"space {name} goes without resolutions {', '.join(map(str, above))}: the task's pictures have {pixels}"
    return left, (f"{words} (data.size){instead}; --set student.resolution={above[0]} asks for one",)
