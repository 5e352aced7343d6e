"""The form in which students of a space ship: integers, where the device computes with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_kd.core import UserError
from automl_kd.hardware import Profile
from automl_kd.recipes import Recipe, Space
from automl_kd.studies.integers import (
    Fault,
    Holding,
    floats_fault,
    form_fault,
    refuse_unknown_layers,
    stage_for,
)
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
    elsewhere: Collection[Profile] = (),
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
        elsewhere: Devices of further objectives, which run the same.
        allow_code: Whether files of the user's own that students name may run.

    Raises:
        UserError: If the devices run none of it, or it names layers that no student has.
    """
    holding = Holding(task, allow_code)
    check = _Check(task, profile, elsewhere, holding)
    if begun is not None:
        return _as_begun(space, begun, profile, check)
    added = None
    if _COMPRESS not in space.document and profile.target.precision == _INT8:
        added = [stage_for(profile)]
        space = space.giving(_COMPRESS, added)
    if _COMPRESS not in space.document and not any(map(floats_fault, elsewhere)):
        return Deployable(space)
    left, told, gone = _checked(space, name, check)
    ships = "" if added is None else _ships(added, profile)
    return Deployable(left.where(check.words), ships, told, DeployedForm(compress=added, without=gone))


def _as_begun(space: Space, form: DeployedForm, profile: Profile, check: _Check) -> Deployable:
    if form.compress is not None and _COMPRESS not in space.document:
        space = space.giving(_COMPRESS, form.compress)
    if form.without:
        space = space.without_options(form.without)
    if _COMPRESS in space.document:
        # One that was begun with what the device does not run goes on so.
        runs = any(check.fault(each.recipe) is None for each in drawn(space))
        space = space.where(check.words if runs else check.holding.fault)
    return Deployable(space, "" if form.compress is None else _ships(form.compress, profile), form=form)


class _Check:
    """Whether devices and students hold what recipes ship."""

    def __init__(self, task: Task, here: Profile, elsewhere: Collection[Profile], holding: Holding) -> None:
        self._task = task
        self._devices = ((here, False), *((each, True) for each in elsewhere))
        self.holding = holding

    def fault(self, recipe: Recipe) -> Fault | None:
        """Why one of them does not."""
        for profile, other in self._devices:
            found = form_fault(recipe.compress, self._task, profile, other)
            if found is not None:
                return found
        said = self.holding.fault(recipe)
        return None if said is None else Fault(said)

    def words(self, recipe: Recipe) -> str | None:
        """The same in one line."""
        fault = self.fault(recipe)
        return None if fault is None else str(fault)


def _checked(space: Space, name: str, check: _Check) -> tuple[Space, tuple[str, ...], dict[str, list[Any]]]:
    """The space without the options that devices or students cannot hold, lines that say so, and the options."""
    found: dict[str, Fault] = {}

    def sound(recipe: Recipe) -> bool:
        fault = check.fault(recipe)
        if fault is not None:
            found.setdefault(fault.reason, fault)
        return fault is None

    sample = list(drawn(space))
    refuse_unknown_layers((each.recipe for each in sample), check.holding, name)
    able = [each for each in sample if sound(each.recipe)]
    if not able:
        raise UserError(f"space {name}: {next(iter(found.values()))}")
    gone = never_sound(space, _PARTS, sound, able) if found else {}
    told = tuple(f"space {name} goes without forms that do not fit: {reason}" for reason in found)
    return (space.without_options(gone) if gone else space), told, gone


def _ships(stages: Sequence[Mapping[str, Any]], profile: Profile) -> str:
    """``integers: quantise (weights per-tensor), because …``."""
    told = ", ".join(f"{name} {value}" for name, value in stages[0].items() if name != "stage")
    how = f" ({told})" if told else ""
    return f"integers: {stages[0]['stage']}{how}, because {profile.computes}; compress in the space decides otherwise"
