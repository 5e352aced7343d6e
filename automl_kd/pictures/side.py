"""How large pictures are shown to networks where nobody says so, and how large they are kept for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_USUAL = 224
_STEP = 8
_LEAST = 4
_ROOM = 8 / 7  # 256 for 224, as networks of ImageNet are trained on crops of larger pictures
_ENLARGED = 0.1  # share of pictures that may be smaller than they are kept


@dataclass(frozen=True)
class Size:
    """Height and width that networks take.

    Attributes:
        side: In pixels.
        words: Why, for people.
    """

    side: int
    words: str


def chosen_size(stated: int | None, taught: int | None, sides: Sequence[int]) -> Size:
    """The size that is stated; else the teacher's, or 224; of smaller pictures theirs.

    Args:
        stated: By the user, who has the last word.
        taught: That the teacher says it takes.
        sides: The shorter side of every picture.
    """
    if stated is not None:
        return Size(stated, "as data.size says")
    wanted = (
        Size(taught, "as the teacher takes them") if taught else Size(_USUAL, "the usual size; data.size says another")
    )
    median = int(np.median(sides)) if len(sides) else wanted.side
    if median >= wanted.side:
        return wanted
    if median < _STEP:
        return Size(max(_LEAST, median), "the median of the pictures' shorter sides")
    side = median // _STEP * _STEP
    rounded = "" if side == median else f", {median}, down to a multiple of {_STEP}"
    return Size(side, f"the median of the pictures' shorter sides{rounded}; data.size says another")


def kept_side(size: int, sides: Sequence[int]) -> int:
    """The side of the squares that are kept: an eighth larger than networks take, where nine in ten pictures are.

    Args:
        size: That networks take; what is kept is at least as large.
        sides: The shorter side of every picture.
    """
    room = -(-round(size * _ROOM) // 2) * 2
    there = int(np.quantile(sides, _ENLARGED, method="lower")) // 2 * 2 if len(sides) else size
    return max(size, min(room, there))
