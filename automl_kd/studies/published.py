"""Published networks that can start from their weights without a network connection."""

from __future__ import annotations

import random

from automl_kd.core import UserError
from automl_kd.recipes import StudentPart, load_space, space_names
from automl_kd.students import at_hand

PRETRAINED_SPACE = "pretrained_cnn"
_DRAWN = 400
"""Students of the space, among which each of its networks is."""
_WHOLE = {"family", "model", "start"}
"""What of a student makes it the network as published: neither cut nor narrowed."""


def published_here() -> list[StudentPart]:
    """One student for each network of the space whose weights are on this machine; none where timm is not installed."""
    if PRETRAINED_SPACE not in space_names():
        return []
    space, rng = load_space(PRETRAINED_SPACE), random.Random(0)
    drawn = [space.sample(rng).student for _ in range(_DRAWN)]
    networks = {each.model_dump_json(include=_WHOLE): each for each in drawn if each.start is not None}
    try:
        return [each for each in networks.values() if at_hand(each)]
    except UserError:  # timm is not installed
        return []


def as_published(student: StudentPart) -> StudentPart:
    """The network that a student is cut or narrowed from."""
    return type(student).model_validate(student.model_dump(include=_WHOLE))
