"""Published networks that can start from their weights without a network connection."""

from __future__ import annotations

from automl_kd.core import UserError
from automl_kd.recipes import Categorical, StudentPart, load_space, space_names
from automl_kd.students import FAMILIES, PRETRAINED, at_hand

PRETRAINED_SPACE = "pretrained_cnn"
_NETWORK = "student.model"


def published_here() -> list[StudentPart]:
    """The networks of the space, whole, whose weights are on this machine; none where timm is not installed."""
    if PRETRAINED_SPACE not in space_names():
        return []
    space = load_space(PRETRAINED_SPACE)
    whole = {"family": space.document["student"]["family"], "start": {"weights": PRETRAINED}}
    holes = (hole for hole in space.holes if isinstance(hole, Categorical) and hole.name == _NETWORK)
    part = FAMILIES[whole["family"]].part
    networks = [part.model_validate(whole | {"model": model}) for hole in holes for model in hole.options]
    try:
        return [each for each in networks if at_hand(each)]
    except UserError:  # timm is not installed
        return []
