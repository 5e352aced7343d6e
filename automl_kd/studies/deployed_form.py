"""The form in which students of a space ship: integers, where the device computes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_kd.core import UserError
from automl_kd.hardware import Profile
from automl_kd.recipes import Recipe, Space
from automl_kd.studies.integers import Holding, device_fault, quantising, refuse_unknown_layers
from automl_kd.studies.options import drawn, never_sound
from automl_kd.studies.state import DeployedForm
from automl_kd.tasks import Task

_COMPRESS = "compress"
_PARTS = (_COMPRESS, "student")
_INT8 = "int8"


@dataclass(frozen=True)
class Deployable:
    """A space whose students the device can run as they ship.

    Attributes:
        space: Without the options that it cannot.
        ships: What it was made to ship, and why; empty where it says so itself.
        told: What was left out, a line each.
        form: The same as a study keeps it.
    """

    space: Space
    ships: str = ""
    told: tuple[str, ...] = ()
    form: DeployedForm = field(default_factory=DeployedForm)


def deployable(
    space: Space,
    name: str,
    task: Task,
    profile: Profile,
    begun: DeployedForm | None = None,
    *,
    allow_code: bool = False,
) -> Deployable:
    """The part of a space that a device runs as it ships; made to ship integers where it leaves that to the device.

    A study keeps what it was begun with: one that was begun with floats on a device of integers goes on with them.

    Args:
        space: The space.
        name: What the user calls it.
        task: What is learned.
        profile: The device.
        begun: The form that a study at hand was begun in; None where it is decided now.
        allow_code: Whether files of the user's own that students name may run.

    Raises:
        UserError: If the device runs none of it, or it names layers that no student has.
    """
    holding = Holding(task, allow_code)
    if begun is not None:
        return _as_begun(space, begun, profile, holding)
    added = None
    if _COMPRESS not in space.document and profile.target.precision == _INT8:
        added = [_stage(profile)]
        space = space.giving(_COMPRESS, added)
    if _COMPRESS not in space.document:
        return Deployable(space)
    left, told, gone = _checked(space, name, profile, holding)
    ships = "" if added is None else _ships(added, profile)
    return Deployable(left.where(holding.fault), ships, told, DeployedForm(compress=added, without=gone))


def _as_begun(space: Space, form: DeployedForm, profile: Profile, holding: Holding) -> Deployable:
    if form.compress is not None and _COMPRESS not in space.document:
        space = space.giving(_COMPRESS, form.compress)
    if form.without:
        space = space.without_options(form.without)
    if _COMPRESS in space.document:
        space = space.where(holding.fault)
    return Deployable(space, "" if form.compress is None else _ships(form.compress, profile), form=form)


def _checked(
    space: Space, name: str, profile: Profile, holding: Holding
) -> tuple[Space, tuple[str, ...], dict[str, list[Any]]]:
    """The space without the options that device or students cannot hold, lines that say so, and the options."""
    reasons: dict[str, None] = {}

    def sound(recipe: Recipe) -> bool:
        fault = _form_fault(recipe, profile) or holding.fault(recipe)
        reasons.update({} if fault is None else {fault: None})
        return fault is None

    sample = list(drawn(space))
    refuse_unknown_layers((each.recipe for each in sample), holding, name)
    able = [each for each in sample if sound(each.recipe)]
    if not able:
        raise UserError(f"space {name}: {next(iter(reasons))}")
    gone = never_sound(space, _PARTS, sound, able) if reasons else {}
    if not gone:
        return space, (), {}
    told = tuple(f"space {name} goes without forms that do not fit: {reason}" for reason in reasons)
    return space.without_options(gone), told, gone


def _form_fault(recipe: Recipe, profile: Profile) -> str | None:
    """Why the device does not run what a recipe ships, whatever the student."""
    part = quantising(recipe.compress)
    if part is not None:
        return device_fault(part, profile)
    if profile.target.precision != _INT8:
        return None
    floats = profile.in_floats
    instead = "" if floats is None else f"take --hw {floats}, or "
    return f"compress: ships floats, and {_computes(profile)}: {instead}leave compress out"


def _stage(profile: Profile) -> dict[str, Any]:
    """The stage by which a network becomes what the device loads."""
    has, loads = profile.target.integers, profile.target.loads
    weights = {} if has is None else {"weights": has.weights[0]}
    activations = {"activations": "symmetric"} if loads is not None and loads.symmetric else {}
    return {"stage": "quantise", **weights, **activations}


def _ships(stages: Sequence[Mapping[str, Any]], profile: Profile) -> str:
    """``integers: quantise (weights per-tensor), because …``."""
    told = ", ".join(f"{name} {value}" for name, value in stages[0].items() if name != "stage")
    how = f" ({told})" if told else ""
    return f"integers: {stages[0]['stage']}{how}, because {_computes(profile)}; compress in the space decides otherwise"


def _computes(profile: Profile) -> str:
    has = profile.target.integers
    alone = has is not None and has.only
    return f"{profile.name} runs nothing else" if alone else f"{profile.name} computes in {profile.target.precision}"
