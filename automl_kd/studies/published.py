"""Published networks that can start from their weights without a network connection."""

from __future__ import annotations

import random

from automl_kd.core import UserError
from automl_kd.recipes import StudentPart, load_space, space_names
from automl_kd.students import at_hand

PRETRAINED_SPACE = "pretrained_cnn"
_DRAWN = 128
"""Students of the space, among which each of its networks is."""


def published_here() -> list[StudentPart]:
    """Students of the space of published networks whose weights are on this machine; none where timm is not."""
    if PRETRAINED_SPACE not in space_names():
        return []
    space, rng = load_space(PRETRAINED_SPACE), random.Random(0)
    try:
        drawn = [space.sample(rng).student for _ in range(_DRAWN)]
        return [each for each in drawn if each.start is not None and at_hand(each)]
    except UserError:  # timm is not installed
        return []
