"""Whether the losses of a space can be computed, found out before a trial is spent on it."""

from __future__ import annotations

import random

from automl_kd.distillation import CONTRACTS, own_contract
from automl_kd.errors import UserError
from automl_kd.recipes import Recipe, Space
from automl_kd.teachers import Teacher
from automl_kd.workflows._request import SearchRequest

_SAMPLES = 64


def check_own_losses(space: Space, request: SearchRequest) -> None:
    """Load the user's own losses once.

    Raises:
        UserError: If one cannot be loaded, or was not allowed.
    """
    samples = _samples(space, request)
    own = {name: part for recipe in samples for name, part in (recipe.distill.losses.own or {}).items()}
    for name, part in own.items():
        own_contract(name, part, request.allow_code)


def check_losses(space: Space, request: SearchRequest, teacher: Teacher) -> None:
    """Refuse a space that a teacher cannot serve.

    Raises:
        UserError: If it uses losses that need more than logits, and the teacher gives no more.
    """
    if teacher.stage_names():
        return
    used = {name for recipe in _samples(space, request) for name in recipe.distill.losses.listening()}
    unserved = sorted(name for name in used if name in CONTRACTS and CONTRACTS[name].inputs != "logits")
    if unserved:
        pins = " ".join(f"--set distill.losses.{name}=null" for name in unserved)
        raise UserError(
            f"the teacher gives logits only, but space {request.space} also uses {', '.join(unserved)};"
            f" leave them out: {pins}"
        )


def _samples(space: Space, request: SearchRequest) -> list[Recipe]:
    rng = random.Random(request.seed)
    return [space.sample(rng) for _ in range(_SAMPLES)]
